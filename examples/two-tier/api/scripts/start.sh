#!/bin/sh
# Becomes bin/server.mjs, run by Node or Deno, whichever this host has; JS_RUNTIME names one.
set -eu
dir=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
runtime=$(command -v "${JS_RUNTIME:-node}" || command -v deno) || {
  echo "neither node nor deno is on PATH ($PATH); JS_RUNTIME names one" >&2
  exit 127
}
case "${runtime##*/}" in
  deno*) exec "$runtime" run -q --no-config --no-lock --no-prompt --allow-net --allow-env "$dir/bin/server.mjs" "$@" ;;
  *) exec "$runtime" "$dir/bin/server.mjs" "$@" ;;
esac
