/**
 * Probes as POSIX sh text, for the service's own machine: with whatever that machine has.
 *
 * @module
 */
import { MAX_HEALTH_OUTPUT_BYTES } from "../limits.ts";
import { AS_SERVICE, OWN_DESCRIPTORS, OWN_ENVIRONMENT } from "../drivers/process/run_as.ts";
import { PROCESS_LIBRARY } from "../drivers/process/shell.ts";

/**
 * Runs a probe script as the service would be run.
 * $1 work dir  $2 env file  $3 user  $4 whole seconds it may take at most
 * $5 whether variables of the loader are left out, then the argv. The run id comes on stdin.
 */
export const SCRIPT_PROBE: string = `${PROCESS_LIBRARY}
h_dir=$1 h_env=$2 h_as=$3 h_seconds=$4 h_plain=$5; shift 5
IFS= read -r h_id
exec 2>&1 </dev/null
h_login || { echo "the user $h_as does not exist on this machine"; exit 125; }
# Whoever asked may be killed or cut off: then nobody but the machine itself ends a script that hangs.
${AS_SERVICE}
${OWN_DESCRIPTORS}
exec "$@" 7<<RUN 8<"\${h_env:-/dev/null}"
$h_id
RUN
`;

/** Kills what a probe that hung has left, also what left its session. $1 user. The run id comes on stdin. */
export const CLEAR_PROBE: string = `${PROCESS_LIBRARY}
IFS= read -r h_id
h_only_of "$1"
p_pid=0 p_start=none p_boot=none p_run=$h_id
for h_round in 1 2 3 4 5; do
  h_list=$(h_marked "$h_id")
  [ -n "$h_list" ] || break
  h_send KILL $h_list
  h_nap
done
`;

/**
 * Sends one GET and prints the raw answer, or one line \`@harness WHY\`. Tries IPv4, then IPv6 loopback.
 * $1 http|https  $2 port  $3 path  $4 whole seconds.
 */
export const HTTP_PROBE: string = `${OWN_ENVIRONMENT}
h_scheme=$1 h_port=$2 h_path=$3 h_seconds=$4
h_cut() { head -c ${MAX_HEALTH_OUTPUT_BYTES}; }
h_request() {
  printf 'GET %s HTTP/1.0\\r\\nHost: localhost:%s\\r\\nUser-Agent: harness-health\\r\\nConnection: close\\r\\n\\r\\n' "$h_path" "$h_port"
}
h_get() { # $1 address
  if command -v curl >/dev/null 2>&1; then
    case $1 in *:*) h_at="[$1]" ;; *) h_at=$1 ;; esac
    curl -q -sS -k -i -g --noproxy '*' -A harness-health -m "$h_seconds" "$h_scheme://$h_at:$h_port$h_path" 2>&1 | h_cut
  elif [ "$h_scheme" = https ]; then
    command -v wget >/dev/null 2>&1 || { echo "@harness an https probe needs curl or wget on this machine"; exit 0; }
    if wget -q -T "$h_seconds" -O /dev/null --no-check-certificate "https://$1:$h_port$h_path" 2>&1; then
      printf 'HTTP/1.0 200 OK\\r\\n\\r\\n'
    fi
  elif command -v bash >/dev/null 2>&1; then
    h_request | bash -c 'exec 3<>"/dev/tcp/$1/$2" && cat >&3 && cat <&3' bash "$1" "$h_port" 2>&1 | h_cut
  elif command -v nc >/dev/null 2>&1; then
    h_request | nc "$1" "$h_port" 2>&1 | h_cut
  elif command -v busybox >/dev/null 2>&1; then
    h_request | busybox nc "$1" "$h_port" 2>&1 | h_cut
  elif command -v python3 >/dev/null 2>&1; then
    h_request | python3 -c '
import shutil, socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as s:
    s.sendall(sys.stdin.buffer.read())
    shutil.copyfileobj(s.makefile("rb"), sys.stdout.buffer)
' "$1" "$h_port" 2>&1 | h_cut
  else
    echo "@harness an http probe needs curl, bash, nc, busybox or python3 on this machine"; exit 0
  fi
}
h_answer=$(h_get 127.0.0.1)
case $h_answer in
  HTTP/* | @harness*) printf '%s\\n' "$h_answer"; exit 0 ;;
esac
h_second=$(h_get ::1)
case $h_second in
  HTTP/*) printf '%s\\n' "$h_second" ;;
  *) printf '%s\\n' "$h_answer" | tail -n 1 ;;
esac
`;

/** Exits 0 when a TCP connection to loopback port $1 can be made. $2 whole seconds. */
export const TCP_PROBE: string = `${OWN_ENVIRONMENT}
h_hex=$(printf '%04X' "$1")
# Without -z nc would wait for the other side to hang up.
h_nc=
for h_try in nc "busybox nc"; do
  [ -n "$h_nc" ] || ! $h_try --help 2>&1 | grep -q -e '-z' || h_nc=$h_try
done
for h_at in 127.0.0.1 ::1; do
  if command -v bash >/dev/null 2>&1; then
    bash -c ': <>"/dev/tcp/$1/$2"' bash "$h_at" "$1" 2>/dev/null && exit 0
  elif [ -n "$h_nc" ]; then
    $h_nc -z -w "$2" "$h_at" "$1" </dev/null >/dev/null 2>&1 && exit 0
  else
    # Nothing to connect with: that the kernel has a listener there is the best that can be known.
    grep -q -h -E "^ *[0-9]+: [0-9A-F]+:$h_hex [0-9A-F]+:[0-9A-F]+ 0A " /proc/net/tcp /proc/net/tcp6 && exit 0
    exit 1
  fi
done
exit 1
`;
