# Sourced by the other scripts: runs bin/server.mjs or bin/server.py with whatever this host has.
# shellcheck shell=sh
dir=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1

find_runtime() {
  if [ -n "${HELLO_RUNTIME:-}" ]; then
    command -v "$HELLO_RUNTIME" && return
    echo "hello-service: HELLO_RUNTIME=$HELLO_RUNTIME is not a program on this host" >&2
    return 1
  fi
  command -v node || command -v deno || command -v python3 || {
    echo "hello-service: none of node, deno, python3 is on PATH ($PATH): install one, or set HELLO_RUNTIME" >&2
    return 1
  }
}

# Becomes the server; its arguments are passed on.
exec_server() {
  runtime=$(find_runtime) || exit 127
  case "${runtime##*/}" in
    deno*) exec "$runtime" run --quiet --no-config --no-lock --no-prompt --allow-net --allow-env --allow-read="$dir" "$dir/bin/server.mjs" "$@" ;;
    python*) exec "$runtime" "$dir/bin/server.py" "$@" ;;
    *) exec "$runtime" "$dir/bin/server.mjs" "$@" ;;
  esac
}

run_dir=${HARNESS_DATA_DIR:-${TMPDIR:-/tmp}/hello-service-$(id -u)}
pid_file=$run_dir/hello-service.pid
