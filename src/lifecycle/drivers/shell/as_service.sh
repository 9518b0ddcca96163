# Turns "$@" into what runs it in $h_dir as the service would be run, $h_seconds at most where that is set, and without
# variables of the loader where $h_plain is; h_login has been called. Its caller gives it descriptor 7, the run id, and
# 8, the env file.
set -- /bin/sh -c "$h_launcher" harness "$h_dir" "${h_plain:-}" "$@"
# A shell ignores these two for what it starts in the background, and a program cannot be stopped by what it inherits so.
h_signals=--default-signal=INT,QUIT h_limits=
# Both are asked at once, since nearly always both are there.
if [ -z "${h_seconds:-}" ]; then env "$h_signals" >/dev/null 2>&1 || h_signals=
elif timeout 1 env "$h_signals" >/dev/null 2>&1; then h_limits=yes
else
  env "$h_signals" >/dev/null 2>&1 || h_signals=
  if timeout 1 true >/dev/null 2>&1; then h_limits=yes; fi
fi
[ -z "$h_limits" ] || set -- "$(command -v timeout)" -s KILL "$h_seconds" "$@"
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
set -- "$(command -v env)" $h_signals -i PATH="$h_path" HOME="$h_home" USER="$h_user" LOGNAME="$h_user" SHELL=/bin/sh LANG="${LANG:-C.UTF-8}" ${TZ:+TZ="$TZ"} "$@"
