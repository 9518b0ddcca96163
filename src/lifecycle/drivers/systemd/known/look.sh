# $1 place. Prints the host's record of releases, too: one of an earlier version has no claims, and whether the active
# release runs this unit is read from there.
h_look_known
h_report
[ -n "$1" ] || exit 0
for h_record in "$1"/run/*/"$h_service.unit"; do
  if h_has_claim; then h_say class ours; break; fi
done
h_say record
[ ! -f "$1/state.json" ] || sed 's/^/|/' "$1/state.json"
