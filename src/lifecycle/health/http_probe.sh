# Sends one GET and prints the raw answer, or one line `@harness WHY`. Tries IPv4, then IPv6 loopback.
# $1 http|https  $2 port  $3 path  $4 whole seconds.
h_scheme=$1 h_port=$2 h_path=$3 h_seconds=$4
h_cut() { head -c "$h_max_output"; }
h_request() {
  printf 'GET %s HTTP/1.0\r\nHost: localhost:%s\r\nUser-Agent: harness-health\r\nConnection: close\r\n\r\n' "$h_path" "$h_port"
}
h_get() { # $1 address
  if command -v curl >/dev/null 2>&1; then
    case $1 in *:*) h_at="[$1]" ;; *) h_at=$1 ;; esac
    curl -q -sS -k -i -g --noproxy '*' -A harness-health -m "$h_seconds" "$h_scheme://$h_at:$h_port$h_path" 2>&1 | h_cut
  elif [ "$h_scheme" = https ]; then
    command -v wget >/dev/null 2>&1 || { echo "@harness an https probe needs curl or wget on this machine"; exit 0; }
    if wget -q -T "$h_seconds" -O /dev/null --no-check-certificate "https://$1:$h_port$h_path" 2>&1; then
      printf 'HTTP/1.0 200 OK\r\n\r\n'
    fi
  elif command -v bash >/dev/null 2>&1; then
    h_request | bash -c 'exec 3<>"/dev/tcp/$1/$2" && cat >&3 && cat <&3' bash "$1" "$h_port" 2>&1 | h_cut
  elif command -v nc >/dev/null 2>&1; then
    h_request | nc "$1" "$h_port" 2>&1 | h_cut
  elif command -v busybox >/dev/null 2>&1; then
    h_request | busybox nc "$1" "$h_port" 2>&1 | h_cut
  elif command -v python3 >/dev/null 2>&1; then
    h_request | python3 -I -c '
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
  HTTP/* | @harness*) printf '%s\n' "$h_answer"; exit 0 ;;
esac
h_second=$(h_get ::1)
case $h_second in
  HTTP/*) printf '%s\n' "$h_second" ;;
  *) printf '%s\n' "$h_answer" | tail -n 1 ;;
esac
