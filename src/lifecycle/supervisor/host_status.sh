# Reads lines SECTION<tab>INDEX<tab>FIELD... from stdin. A line that begins with ? counts where this machine runs managed
# processes as that section does.
h_tab=$(printf '\t')
h_managed=process
if h_uses_systemd; then h_managed=unit; fi
h_lines=$(LC_ALL=C sed -e "s/^?\($h_managed$h_tab\)/\1/" -e '/^?/d')
# Prints the states of all services of section $1, where there are any.
h_section() {
  h_asked=$(printf '%s\n' "$h_lines" | LC_ALL=C sed -n "s/^$1$h_tab//p")
  [ -n "$h_asked" ] || return 0
  printf '@harness status %s\n' "$1"
  printf '%s\n' "$h_asked" | "h_status_$1"
}
