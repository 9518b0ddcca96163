# Reads lines INDEX<tab>UNIT and prints the properties of all units, a block each, and what their main processes carry.
h_status_unit() {
  h_indices=
  set --
  while IFS="$(printf '\t')" read -r h_index h_name; do
    h_indices="$h_indices $h_index"
    set -- "$@" "$h_name"
  done
  h_shown=$(systemctl show -p "$h_properties" -- "$@" </dev/null)
  printf 'units%s\n%s\n\ncarried\n' "$h_indices" "$h_shown"
  h_n=0
  printf '%s\n' "$h_shown" | while IFS= read -r h_line; do
    case $h_line in
      '') h_n=$((h_n + 1)) ;;
      MainPID=*) echo "at $h_n"; h_carried "${h_line#MainPID=}" ;;
    esac
  done
}
