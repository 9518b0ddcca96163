#!/bin/sh
# Compiles the service and makes a package of it:
#
#   examples/compiled-service/build.sh 1.0.0 dist
#   harness-ws-server deploy dist/compiled-service-1.0.0.tar.gz --local
#
# CC is the compiler. In a checkout, bin/ on PATH has the program.
set -eu
version=${1:-1.0.0}
out=${2:-dist}
here=$(dirname "$0")
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

cp -R "$here/package/." "$tree"
mkdir "$tree/bin"
${CC:-cc} -O2 -Wall -Wextra "-DVERSION=\"$version\"" -o "$tree/bin/compiled-service" "$here/server.c"
# A host of another kind is refused before anything is touched.
printf 'requires: { arch: [%s] }\n' "$(uname -m)" >>"$tree/manifest.yaml"
harness-ws-server package build "$tree" --version "$version" --out "$out"
