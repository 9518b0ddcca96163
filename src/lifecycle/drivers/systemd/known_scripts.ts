/**
 * The scripts for units of the machine and of portable images, printing as those of lifecycle/drivers/systemd/scripts.ts do.
 *
 * @module
 */
import { SAY } from "../process/scripts.ts";
import { PROCESS_LIBRARY } from "../process/shell.ts";
import { UNIT_LIBRARY } from "./scripts.ts";

/**
 * The record that a release keeps of having started a unit of the machine. $1 unit  $2 service  $3 run dir  $4 release
 * $5 \`claim\`, or empty where the unit is controlled without a record.
 *
 * The record is a file in the release's run directory, which is root's. It holds the unit, the release and which start
 * of the unit (its InvocationID) was ours; nothing there once we stopped it.
 */
const CLAIM = `
h_unit=$1 h_service=$2 h_run_dir=$3 h_release=$4 h_claim=$5
shift 5
h_record=$h_run_dir/$h_service.unit
h_recorded() { sed -n "s/^$1=//p" "$h_record" 2>/dev/null | head -n 1; }
h_has_claim() { [ -f "$h_record" ] && [ "$(h_recorded unit)" = "$h_unit" ]; }
h_write_claim() { # $1 which start
  [ -n "$h_claim" ] || return 0
  h_error=$( { mkdir -p "$h_run_dir" && printf 'unit=%s\\nrelease=%s\\ninvocation=%s\\nrestarts=%s\\n' "$h_unit" "$h_release" "$1" "$2" > "$h_record.new" &&
    mv -f "$h_record.new" "$h_record"; } 2>&1) || h_fail "its record $h_record cannot be written: $(h_one_line "$h_error")"
}
# The start that runs is the recorded one, or systemd made it of the recorded one by a restart of its own.
h_claim_holds() {
  h_ours=$(h_recorded invocation)
  [ -n "$h_ours" ] || return 1
  [ "$h_ours" = "$(h_seen_is InvocationID)" ] || [ "$(h_seen_is NRestarts)" -gt "$(h_recorded restarts)" ] 2>/dev/null
}
h_look_known() {
  h_look
  h_marks=
  if h_has_claim && h_claim_holds; then
    h_marks="@harness claim $(h_recorded invocation)
@harness release $(h_recorded release)"
  elif h_has_claim; then h_marks="@harness claim"
  fi
}
h_taken() { h_report; h_say class "$1"; h_say why "$(h_one_line "$2")"; h_say occupied; exit 0; }
`;

/** As CLAIM, then $1 tenths it must live  $2 portable image or empty. */
export const START_KNOWN: string = `${PROCESS_LIBRARY}${SAY}${UNIT_LIBRARY}${CLAIM}
h_settle=$1 h_image=$2
h_last() { printf '%s\\n' "$1" | tail -n 1; }
# The directory or file of an image: a path without symbolic links, or a name where portablectl looks for it. Last where
# attaching leaves links: an image of the same name from elsewhere that is attached is not the one that is meant.
h_image_path() {
  case $1 in */*) readlink -f -- "$1"; return ;; esac
  for h_top in /var/lib/portables /usr/lib/portables /usr/local/lib/portables /run/portables /etc/portables; do
    for h_found in "$h_top/$1" "$h_top/$1.raw"; do [ ! -e "$h_found" ] || { readlink -f -- "$h_found"; return; }; done
  done
}
h_attach() {
  command -v portablectl >/dev/null 2>&1 || h_fail "portablectl is not installed on this machine"
  h_root=$(h_property RootDirectory)$(h_property RootImage)
  if [ -n "$h_root" ]; then
    [ "$(readlink -f -- "$h_root")" != "$(h_image_path "$h_image")" ] || return 0
    h_taken foreign "it belongs to the image $h_root, not to $h_image: stop it and run portablectl detach $h_root first"
  fi
  [ "$(h_seen_is LoadState)" = not-found ] ||
    h_taken foreign "it belongs to no portable image (it is the one of $(h_seen_is FragmentPath)); give the image's unit another name"
  # Looked at before it is attached: an image without the unit is not left attached.
  h_path=$(h_image_path "$h_image")
  h_units=$(LC_ALL=C portablectl inspect -- "\${h_path:-$h_image}" 2>&1) ||
    h_fail "the portable image $h_image cannot be read: $(h_last "$h_units")"
  h_file=$h_unit
  case $h_unit in *@*.*) h_file=\${h_unit%%@*}@.\${h_unit##*.} ;; esac
  printf '%s\\n' "$h_units" | tr -d ' \\t' | grep -q -x -F -e "$h_file" ||
    h_fail "the portable image $h_image has no unit $h_file that its prefixes allow"
  h_error=$(portablectl attach -- "\${h_path:-$h_image}" 2>&1) ||
    h_fail "the portable image $h_image cannot be attached: $(h_last "$h_error")"
  h_attached=yes
}
h_undo() { # what this start began, and nothing else
  [ -z "$h_attached" ] || portablectl detach -- "\${h_path:-$h_image}" >/dev/null 2>&1
  [ -z "$h_claim" ] || [ -n "$h_had_claim" ] || rm -f "$h_record"
}
h_attached= h_had_claim=
h_look_known
[ "$(h_seen_is LoadState)" != masked ] || h_taken foreign "it is masked (systemctl unmask $h_unit)"
[ -z "$h_image" ] || h_attach
h_look_known
[ "$(h_seen_is LoadState)" != not-found ] || h_fail "the unit $h_unit does not exist on this machine"
if h_has_claim; then h_had_claim=yes; fi
if [ "$(h_seen_is ActiveState)" = active ]; then
  # One that we stopped has no start in its record: then somebody else started it.
  if [ -z "$h_claim" ] || { h_has_claim && [ -n "$(h_recorded invocation)" ]; }; then
    h_write_claim "$(h_seen_is InvocationID)" "$(h_seen_is NRestarts)"
    h_look_known; h_report; exit 0
  fi
  h_taken foreign "it is active already and was not started by this service; stop it (systemctl stop $h_unit) to let this service take it over"
fi
systemctl reset-failed -- "$h_unit" 2>/dev/null
# Before the start: should this be cut off, the unit can still be stopped as ours.
h_write_claim "" ""
h_started() { h_write_claim "$(h_seen_is InvocationID)" "$(h_seen_is NRestarts)"; h_look_known; }
h_start_unit
`;

/** As CLAIM. What was not started by this service's record is left as it is; nothing is ever disabled. */
export const STOP_KNOWN: string = `${PROCESS_LIBRARY}${SAY}${UNIT_LIBRARY}${CLAIM}
h_look_known
if [ "$(h_seen_is LoadState)" = not-found ] && ! h_is_up; then h_report; exit 0; fi
if [ -n "$h_claim" ] && ! h_has_claim; then
  h_report; h_say class foreign; h_say why "this service did not start it"; exit 0
fi
h_error=$(systemctl stop -- "$h_unit" 2>&1) || h_fail "systemctl stop: $(h_one_line "$h_error")"
h_write_claim "" ""
h_look_known; h_report
`;

/** As CLAIM. */
export const RELOAD_KNOWN: string = `${PROCESS_LIBRARY}${SAY}${UNIT_LIBRARY}${CLAIM}
h_look_known
if [ -n "$h_claim" ] && ! h_has_claim; then h_taken foreign "this service did not start it"; fi
[ "$(h_seen_is ActiveState)" = active ] || h_fail "it does not run"
h_here
if ! h_error=$(systemctl reload -- "$h_unit" 2>&1); then h_say failed "systemctl reload: $(h_one_line "$h_error")"; h_journal; exit 0; fi
h_look_known; h_report
`;

/**
 * As CLAIM, then $1 place. Prints the host's record of releases, too: one of an earlier version has no claims, and
 * whether the active release runs this unit is read from there.
 */
export const LOOK_KNOWN: string = `${PROCESS_LIBRARY}${SAY}${UNIT_LIBRARY}${CLAIM}
h_look_known
h_report
[ -n "$1" ] || exit 0
for h_record in "$1"/run/*/"$h_service.unit"; do
  if h_has_claim; then h_say class ours; break; fi
done
h_say record
[ ! -f "$1/state.json" ] || sed 's/^/|/' "$1/state.json"
`;
