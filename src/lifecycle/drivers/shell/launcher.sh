# Runs as the user of the service, with nothing of the service's in its environment yet. $1 work dir  $2 whether
# variables of the loader are left out, then the argv. Descriptor 8 is the env file, 7 the run id. Positional
# parameters alone: no variable of the file can change them. Where sh is bash, a variable that it does not let change
# (UID) would end it in its POSIX mode.
# shellcheck disable=SC3040 # for the shells whose option it is
# shellcheck disable=SC2030,SC2031 # the subshell tries what would end this one
cd "$1" || exit 125
[ -z "${BASH_VERSION:-}" ] || set +o posix
set -a
eval "$(cat <&8)"
IFS= read -r HARNESS_RUN <&7
set +a
export HARNESS_RUN
exec 7<&- 8<&-
if [ -n "$2" ]; then
  unset IFS
  # By builtins alone: whatever else were executed here would be given them.
  for h_found in $(set | while IFS="=" read -r h_found h_value; do
    case $h_found in
      *[!A-Za-z0-9_]*) ;;
      #include loader_variables
    esac
  done); do (unset "$h_found") 2>/dev/null && unset "$h_found"; done
fi
shift 2
exec "$@"
