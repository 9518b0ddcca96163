#!/bin/sh
# Two services of which one needs the other, on the server's own machine:
#
#   ./run.sh up      builds and deploys api, then web, and shows how they are connected
#   ./run.sh outage  stops api under web, and starts both again in order
#   ./run.sh down    stops both, web first, and removes them from the registry
#
# A server must be running (harness-ws-server). HARNESS is the program, API_PORT and WEB_PORT are the ports.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
out=${OUT:-${TMPDIR:-/tmp}/two-tier-packages}
runtime=${JS_RUNTIME:-}

# HARNESS may be several words, such as `deno run -A src/cli/main.ts`.
harness() { echo "\$ harness-ws-server $*"; ${HARNESS:-harness-ws-server} "$@"; }

get() {
  url="http://$(${HARNESS:-harness-ws-server} resolve web)/"
  echo "\$ curl $url"
  curl -sS "$url"
}

deploy() {
  set -- "$out/$1-1.0.0.tar.gz" --local --quiet --env "HARNESS_PORT_HTTP=$2"
  [ -z "$runtime" ] || set -- "$@" --env "JS_RUNTIME=$runtime"
  harness deploy "$@"
}

up() {
  harness package build "$here/api" --out "$out"
  harness package build "$here/web" --out "$out"
  # In this order: web gets the address of api when it is deployed.
  deploy api "${API_PORT:-8081}"
  deploy web "${WEB_PORT:-8080}"
  harness services
  harness endpoints
  get
}

outage() {
  harness service stop api # what needs it is left alone without --cascade
  harness services
  get                      # web runs, and says what is missing
  harness resolve api || echo "(exit code $?)" # nobody is sent to what does not run
  harness service start web --cascade # web runs; what it needs and does not run is started
  get
  harness service restart api --cascade # web stops first and starts last
  get
}

down() {
  harness service stop api --cascade # web first: it needs api
  harness service deregister web
  harness service deregister api
}

case "${1:-}" in
  up | outage | down) "$1" ;;
  *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
