/**
 * The one way in which anything of a service is executed: its program, its stop, reload and health scripts.
 *
 * Privileges go first: root opens the env file as a descriptor, and only the process that has become the service's
 * user reads it and executes the program. No process of root's ever has a variable of a manifest or a deployment.
 *
 * @module
 */

import { LOADER_PATTERN } from "../../../package/manifest/loader_env.ts";

/** First lines of every script: nothing of the caller's environment decides what is executed here. */
export const OWN_ENVIRONMENT: string = `
IFS=' 	
'
unset BASH_ENV ENV CDPATH GREP_OPTIONS LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT GCONV_PATH LOCPATH GLIBC_TUNABLES
h_fixed_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
h_given_path=\${PATH:-$h_fixed_path}
# Nothing of a relative directory, and, as root (whose "/" is), nothing of a directory that is somebody else's.
h_part= PATH= IFS=:
set -f
for h_part in $h_given_path; do
  case $h_part in /*) if [ -O "$h_part" ] || [ ! -O / ]; then PATH=$PATH$h_part:; fi ;; esac
done
set +f
PATH=$PATH$h_fixed_path
IFS=' 	
'
export PATH
`;

/**
 * Runs as the user of the service, with nothing of the service's in its environment yet. $1 work dir  $2 whether
 * variables of the loader are left out, then the argv. Descriptor 8 is the env file, 7 the run id. Positional parameters
 * alone: no variable of the file can change them. Where sh is bash, a variable that it does not let change (UID) would
 * end it in its POSIX mode.
 */
const LAUNCHER = `cd "$1" || exit 125
[ -z "\${BASH_VERSION:-}" ] || set +o posix
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
    case $h_found in *[!A-Za-z0-9_]*) ;; ${LOADER_PATTERN}) echo "$h_found" ;; esac
  done); do (unset "$h_found") 2>/dev/null && unset "$h_found"; done
fi
shift 2
exec "$@"`;

/**
 * Functions for {@linkcode AS_SERVICE}. $h_as: the user or empty. Sets h_drop (yes or empty), h_user, h_home, h_path.
 */
export const LOGIN_FUNCTION: string = `
h_login() {
  h_drop= h_user=$(id -un) h_home=\${HOME:-/} h_path=$h_given_path
  case $h_as in '') return 0 ;; -* | *[!A-Za-z0-9_.\\$-]*) return 1 ;; esac
  h_its=$(id -u "$h_as" 2>/dev/null) || return 1
  [ "$h_its" != "$(id -u)" ] || return 0
  h_drop=yes h_user=$h_as h_path=$h_fixed_path h_home=/
  eval "h_home=~$h_as"
}
`;

/**
 * Turns "$@" into what runs it in $h_dir as the service would be run, $h_seconds at most where that is set, and without
 * variables of the loader where $h_plain is; h_login has been called. Whoever executes it gives it descriptor 7, the run id, and 8, the env file. Inline text: a function
 * could not change "$@".
 */
export const AS_SERVICE: string = `
set -- /bin/sh -c '${LAUNCHER}' harness "$h_dir" "\${h_plain:-}" "$@"
if [ -n "\${h_seconds:-}" ] && timeout 1 true >/dev/null 2>&1; then
  set -- "$(command -v timeout)" -s KILL "$h_seconds" "$@"
fi
h_forks=
if [ -n "$h_drop" ]; then
  if setpriv --help 2>&1 | grep -q -e --reuid; then
    set -- "$(command -v setpriv)" --reuid="$h_as" --regid="$(id -g "$h_as")" --init-groups -- "$@"
  else
    # Some wait for what they started, which then is another process than ours.
    h_forks=yes
    set -- "$(command -v su)" -s /bin/sh -c 'exec "$0" "$@"' -- "$h_as" "$@"
  fi
fi
# A shell ignores these two for what it starts in the background, and a program cannot be stopped by what it inherits so.
h_signals=
if env --default-signal=INT,QUIT true 2>/dev/null; then h_signals=--default-signal=INT,QUIT; fi
set -- "$(command -v env)" $h_signals -i PATH="$h_path" HOME="$h_home" USER="$h_user" LOGNAME="$h_user" SHELL=/bin/sh LANG="\${LANG:-C.UTF-8}" \${TZ:+TZ="$TZ"} "$@"
`;

/** Puts what makes "$@" run in a session of its own in front of it, where the machine has a tool for that. */
export const OWN_SESSION: string = `
h_session=yes
if command -v setsid >/dev/null 2>&1; then
  set -- "$(command -v setsid)" "$@"
elif busybox setsid true >/dev/null 2>&1; then
  set -- "$(command -v busybox)" setsid "$@"
elif command -v perl >/dev/null 2>&1; then
  set -- "$(command -v perl)" -e 'use POSIX; POSIX::setsid(); exec { $ARGV[0] } @ARGV; exit 127' "$@"
elif command -v python3 >/dev/null 2>&1; then
  set -- "$(command -v python3)" -c 'import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])' "$@"
else
  h_session=
fi
`;

/**
 * Closes what the caller has left open: 3 to 9 here, higher numbers (no shell but some can) in front of "$@". Whoever
 * started our own process may have given it a lock or a pipe that must not live as long as the service.
 */
export const OWN_DESCRIPTORS: string = `
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
h_closer='for f in /proc/self/fd/*; do f=\${f##*/}; case $f in [0-9] | *[!0-9]*) ;; *) eval "exec $f>&-" ;; esac; done; exec "$@"'
h_high=
for h_fd in "/proc/$$/fd"/[1-9][0-9]*; do [ ! -e "$h_fd" ] || h_high=yes; done
if [ -z "$h_high" ]; then :
elif command -v bash >/dev/null 2>&1; then set -- "$(command -v bash)" -p -c "$h_closer" bash "$@"
elif command -v perl >/dev/null 2>&1; then
  set -- "$(command -v perl)" -e 'use POSIX; POSIX::close($_) for 10 .. 1023; exec { $ARGV[0] } @ARGV; exit 127' "$@"
elif command -v python3 >/dev/null 2>&1; then
  set -- "$(command -v python3)" -c 'import os, sys; os.closerange(10, 1024); os.execvp(sys.argv[1], sys.argv[1:])' "$@"
fi
`;
