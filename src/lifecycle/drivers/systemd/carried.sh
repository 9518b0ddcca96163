# A value may hold line ends: NUL and line end are swapped, so that no value can imitate another variable.
h_carried() {
  [ "${1:-0}" -gt 1 ] 2>/dev/null || return 0
  { tr '\000\012' '\012\001' < "/proc/$1/environ" |
    sed -n 's/^HARNESS_RUN=/@harness run /p; s/^HARNESS_INSTALL_DIR=/@harness release /p; s/^HARNESS_DATA_DIR=/@harness data /p'
  } 2>/dev/null
}
