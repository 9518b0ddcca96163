#!/bin/sh
# Makes an image of one static program, and a package that brings the image along: no registry is needed, and
# nothing is pulled.
#
#   examples/docker-service/build.sh 1.0.0 dist
#   harness-ws-server deploy dist/docker-service-1.0.0.tar.gz --local
#
# An image of your own: `docker build -t docker-service:1.0.0 .` in place of the two lines that import one.
# CC is the compiler. In a checkout, bin/ on PATH has the program.
set -eu
version=${1:-1.0.0}
out=${2:-dist}
here=$(dirname "$0")
image=docker-service:$version
tree=$(mktemp -d)
root=$(mktemp -d)
trap 'rm -rf "$tree" "$root"' EXIT

${CC:-cc} -O2 -static "-DVERSION=\"$version\"" -o "$root/server" "$here/../compiled-service/server.c"
tar -C "$root" -cf - server | docker import --change 'ENTRYPOINT ["/server"]' - "$image" >/dev/null

cp -R "$here/package/." "$tree"
docker save -o "$tree/image.tar" "$image"
printf 'requires: { arch: [%s] }\n' "$(uname -m)" >>"$tree/manifest.yaml"
harness-ws-server package build "$tree" --version "$version" --out "$out"
