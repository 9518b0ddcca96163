# The record that a release keeps of having started a unit of the machine: a file in the release's run directory, which
# is root's. It holds the unit, the release and which start of the unit (its InvocationID) was ours; no start once we
# stopped it.
# $1 unit  $2 service  $3 run dir  $4 release  $5 `claim`, or empty where the unit is controlled without a record.
h_unit=$1 h_service=$2 h_run_dir=$3 h_release=$4 h_claim=$5
shift 5
h_record=$h_run_dir/$h_service.unit
h_recorded() { sed -n "s/^$1=//p" "$h_record" 2>/dev/null | head -n 1; }
h_has_claim() { [ -f "$h_record" ] && [ "$(h_recorded unit)" = "$h_unit" ]; }
h_write_claim() { # $1 which start
  [ -n "$h_claim" ] || return 0
  h_error=$( { mkdir -p "$h_run_dir" && printf 'unit=%s\nrelease=%s\ninvocation=%s\nrestarts=%s\n' "$h_unit" "$h_release" "$1" "$2" > "$h_record.new" &&
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
