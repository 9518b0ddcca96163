/**
 * The commands of the systemd controllers as data, and what `systemctl show` says as facts.
 *
 * @module
 */
import type { Command } from "../executor/executor.ts";
import { FAILURE_LOG_LINES, START_SETTLE_MS } from "../limits.ts";
import { type EndFacts, signalName } from "./exit_status.ts";
import type { ProcessSpec } from "./process_commands.ts";
import { PROCESS_LIBRARY } from "./process_shell.ts";
import { SAY } from "./process_scripts.ts";
import type { ServiceStatus } from "./service_spec.ts";
import { unitName, unitText } from "./systemd_unit.ts";

/** The properties that tell how a unit is. */
export const UNIT_PROPERTIES =
  "Id,LoadState,ActiveState,SubState,MainPID,ExecMainCode,ExecMainStatus,Result,NRestarts";

const UNIT_LIBRARY = `
h_show() { systemctl show -p ${UNIT_PROPERTIES} -- "$h_unit"; }
h_property() { systemctl show -p "$1" -- "$h_unit" | cut -d= -f2-; }
# Read when journald has written down what was said until now; how the unit ended may be known from there alone.
h_journal() { journalctl --sync >/dev/null 2>&1; journalctl -u "$h_unit" --since "@$h_since" -n ${FAILURE_LOG_LINES} -o cat --no-pager 2>/dev/null; }
h_seen_is() { printf '%s\\n' "$h_seen" | sed -n "s/^$1=//p"; }
# Up, and not started anew since. Before version 235 systemd does not count its restarts: then both are empty.
h_stays_up() {
  case $(h_seen_is ActiveState) in active | reloading | refreshing) [ "$(h_seen_is NRestarts)" = "$h_restarts" ] ;; *) return 1 ;; esac
}
# Starts the unit and watches it for the first moments. A unit that restarts at once has not started.
h_start_unit() {
  h_since=$(date +%s)
  h_restarts=$(h_property NRestarts)
  if ! h_error=$(systemctl start -- "$h_unit" 2>&1); then
    h_say unit; h_show; h_say error "$h_error"; h_journal
    systemctl stop -- "$h_unit" >/dev/null 2>&1
    exit 0
  fi
  h_t=0
  # Looked at all the time: once systemd starts it again, how it ended is no longer among its properties.
  while h_seen=$(h_show) && h_stays_up; do
    if [ $h_t -ge "$h_settle" ]; then h_say unit; printf '%s\\n' "$h_seen"; exit 0; fi
    h_nap
  done
  while [ "$(h_seen_is ActiveState)" = deactivating ] && [ $h_t -lt 50 ]; do h_nap; h_seen=$(h_show); done
  h_say unit; printf '%s\\n' "$h_seen"; h_say error "it did not stay up"; h_journal
  systemctl stop -- "$h_unit" >/dev/null 2>&1
  exit 0
}
`;

/**
 * $1 unit  $2 unit text  $3 tenths it must live  $4 work dir  $5 env file  $6 user  $7 ports, then the argv.
 */
const START_GENERATED = `${PROCESS_LIBRARY}${SAY}${UNIT_LIBRARY}
h_unit=$1 h_text=$2 h_settle=$3 h_dir=$4 h_env=$5 h_as=$6 h_ports=$7
shift 7
if [ "$(h_property ActiveState)" = active ]; then h_say unit; h_show; exit 0; fi
h_check_user
[ -d "$h_dir" ] || h_fail "its working directory $h_dir does not exist"
[ -z "$h_env" ] || [ -r "$h_env" ] || h_fail "its env file $h_env cannot be read"
h_checked=$(cd "$h_dir" && h_check_program "$1")
[ -z "$h_checked" ] || { printf '%s\\n' "$h_checked"; exit 0; }
for h_port in $h_ports; do h_check_port "$h_port"; done
h_file=/etc/systemd/system/$h_unit
h_error=$( { printf '%s' "$h_text" > "$h_file.new" && chmod 644 "$h_file.new" && mv -f "$h_file.new" "$h_file"; } 2>&1) ||
  h_fail "its unit cannot be written: $h_error"
systemctl daemon-reload
systemctl reset-failed -- "$h_unit" 2>/dev/null
# Enabled while it is meant to run: it comes back after a reboot, and stays down after one when it was stopped.
systemctl enable -- "$h_unit" >/dev/null 2>&1
h_start_unit
`;

/**
 * $1 unit  $2 tenths it must live  $3 portable image or empty.
 *
 * Which image a unit belongs to is read from the unit: `portablectl is-attached` takes images whose
 * names merely begin alike (`api`, `api2`, `api_2`) for the same one.
 */
const START_KNOWN = `${PROCESS_LIBRARY}${SAY}${UNIT_LIBRARY}
h_unit=$1 h_settle=$2 h_image=$3
h_last() { printf '%s\\n' "$1" | tail -n 1; }
h_image_id() { # a path as it is without symbolic links, a name without its suffix
  case $h_image in
    */*) readlink -f -- "$1" ;;
    *) h_id=\${1##*/}; printf '%s\\n' "\${h_id%.raw}" ;;
  esac
}
h_attach() {
  command -v portablectl >/dev/null 2>&1 || h_fail "portablectl is not installed on this machine"
  h_root=$(h_property RootDirectory)$(h_property RootImage)
  if [ -n "$h_root" ]; then
    [ "$(h_image_id "$h_root")" != "$(h_image_id "$h_image")" ] || return 0
    h_fail "the unit $h_unit belongs to the image $h_root, not to $h_image: stop it and run portablectl detach $h_root first"
  fi
  # Looked at before it is attached: an image without the unit is not left attached.
  h_units=$(LC_ALL=C portablectl inspect "$h_image" 2>&1) ||
    h_fail "the portable image $h_image cannot be read: $(h_last "$h_units")"
  h_file=$h_unit
  case $h_unit in *@*.*) h_file=\${h_unit%%@*}@.\${h_unit##*.} ;; esac
  printf '%s\\n' "$h_units" | tr -d ' \\t' | grep -q -x -F -e "$h_file" ||
    h_fail "the portable image $h_image has no unit $h_file that its prefixes allow"
  h_error=$(portablectl attach "$h_image" 2>&1) ||
    h_fail "the portable image $h_image cannot be attached: $(h_last "$h_error")"
}
[ "$(h_property LoadState)" != masked ] || h_fail "the unit $h_unit is masked"
[ -z "$h_image" ] || h_attach
[ "$(h_property LoadState)" != not-found ] || h_fail "the unit $h_unit does not exist on this machine"
if [ "$(h_property ActiveState)" = active ]; then h_say unit; h_show; exit 0; fi
systemctl reset-failed -- "$h_unit" 2>/dev/null
h_start_unit
`;

const STOP = `${SAY}${UNIT_LIBRARY}
h_unit=$1
if [ "$(h_property LoadState)" = not-found ]; then h_say unit; h_show; exit 0; fi
h_error=$(systemctl stop -- "$h_unit" 2>&1) || h_fail "systemctl stop: $h_error"
[ "$2" != generated ] || systemctl disable -- "$h_unit" >/dev/null 2>&1
h_say unit; h_show
`;

const RELOAD = `${SAY}${UNIT_LIBRARY}
h_unit=$1
h_since=$(date +%s)
[ "$(h_property ActiveState)" = active ] || h_fail "it does not run"
if ! h_error=$(systemctl reload -- "$h_unit" 2>&1); then h_say failed "systemctl reload: $h_error"; h_journal; exit 0; fi
h_say unit; h_show
`;

const SETTLE_TENTHS = String(Math.ceil(START_SETTLE_MS / 100));

/** Writes the unit of a managed process and starts it. */
export function startGeneratedCommand(spec: ProcessSpec): Command {
  return {
    script: START_GENERATED,
    args: [
      unitName(spec.name),
      unitText(spec),
      SETTLE_TENTHS,
      spec.workDir,
      spec.envFile ?? "",
      spec.execution.user ?? "",
      spec.ports.filter((p) => p.protocol !== "udp").map((p) => p.port).join(" "),
      ...spec.execution.argv,
    ],
  };
}

/** Starts a unit that systemd knows, after attaching `image` where one is given. */
export function startKnownCommand(unit: string, image: string | null): Command {
  return { script: START_KNOWN, args: [unit, SETTLE_TENTHS, image ?? ""] };
}

/** Stops a unit; one that we made is also disabled, so that a manual stop outlives a reboot. */
export function stopUnitCommand(unit: string, generated: boolean): Command {
  return { script: STOP, args: [unit, generated ? "generated" : "known"] };
}

/** Reloads a unit. */
export function reloadUnitCommand(unit: string): Command {
  return { script: RELOAD, args: [unit] };
}

/** Looks at a unit. */
export function showCommand(unit: string): Command {
  return { argv: ["systemctl", "show", "-p", UNIT_PROPERTIES, "--", unit] };
}

/** Prints the end of a unit's journal. */
export function journalCommand(unit: string, lines: number): Command {
  return { argv: ["journalctl", "-u", unit, "-n", String(lines), "-o", "cat", "--no-pager"] };
}

/** Prints the end of a unit's journal since it was last started. */
export function runJournalCommand(unit: string, lines: number): Command {
  const script = `
journalctl --sync >/dev/null 2>&1
h_at=$(systemctl show -p InactiveExitTimestamp -- "$1" | cut -d= -f2-)
[ -n "$h_at" ] && journalctl -u "$1" --since "$h_at" -n "$2" -o cat --no-pager 2>/dev/null ||
  journalctl -u "$1" -n "$2" -o cat --no-pager
`;
  return { script, args: [unit, String(lines)] };
}

/** Prints a unit's journal as it grows. */
export function followJournalCommand(unit: string): Command {
  return { argv: ["journalctl", "-u", unit, "-n", "0", "-f", "-o", "cat", "--no-pager"] };
}

/** What `systemctl show` says of one unit, beyond the facts every controller gives. */
export interface UnitStatus extends ServiceStatus {
  /** Whether systemd knows the unit. */
  known: boolean;
  /** Restarts that systemd made by itself. */
  restarts: number;
  /** Whether systemd is about to start it again. */
  restarting: boolean;
}

/** Reads one block of `systemctl show -p …` output. */
export function parseUnit(text: string): UnitStatus {
  const properties = new Map(
    text.split("\n").map((line) => {
      const at = line.indexOf("=");
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
  const get = (name: string) => properties.get(name) ?? "";
  const active = get("ActiveState");
  const sub = get("SubState");
  const known = get("LoadState") !== "not-found" && get("LoadState") !== "";
  const restarting = sub === "auto-restart" || sub === "auto-restart-queued";
  const running = active === "active" || active === "reloading" || active === "deactivating" ||
    (active === "activating" && !restarting);
  const pid = Number(get("MainPID"));
  const result = get("Result");
  const why = result === "" || result === "success" ? "" : `, result ${result}`;
  return {
    running,
    pid: running && pid > 0 ? pid : null,
    containerId: null,
    ...(running ? { exitCode: null, signal: null } : unitEnd(get)),
    detail: known
      ? `${get("Id")} is ${active} (${sub})${why}`
      : `the unit ${get("Id")} does not exist`,
    // A unit that ends by itself in a way that counts as failure is "failed", not "inactive".
    asked: active === "inactive" && known,
    known,
    restarts: Number(get("NRestarts")) || 0,
    restarting,
  };
}

/**
 * The last end of a main process that systemd wrote into the journal, or `null`: where a unit runs again already, its
 * properties speak of the new process.
 */
export function endInJournal(lines: readonly string[]): EndFacts | null {
  for (const line of lines.toReversed()) {
    const found = /Main process exited, code=(exited|killed|dumped), status=(\d+)/.exec(line);
    if (found === null) continue;
    const status = Number(found[2]);
    return found[1] === "exited"
      ? { exitCode: status, signal: null }
      : { exitCode: null, signal: signalName(status) };
  }
  return null;
}

/** ExecMainCode is the `si_code` of SIGCHLD: 1 exited, 2 killed, 3 dumped core, 0 never ran. */
function unitEnd(get: (name: string) => string): EndFacts {
  const status = Number(get("ExecMainStatus"));
  switch (get("ExecMainCode")) {
    case "1":
      return { exitCode: status, signal: null };
    case "2":
    case "3":
      return { exitCode: null, signal: signalName(status) };
    default:
      return { exitCode: null, signal: null };
  }
}
