#!/bin/sh
# Makes src/package/deflate/libdeflate_wasm.ts, the same bytes each time: `sh .ci/deflate/build.sh`. Needs cargo and pip;
# run it after a change here or for a new libdeflate, and say so in the changelog: packages get other bytes.
set -eu
version=1.26.1
sha256=d7870e5fbd2766179a937c725fb11f4ca0ef025d982beb61bd3ce755425bd19c
zig=0.17.1
here=$(cd "$(dirname "$0")" && pwd)
target=$here/../../src/package/deflate/libdeflate_wasm.ts
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# Sources of a crate, which cargo compares with the digest in the lock file that it makes.
mkdir -p "$dir/crate/src"
: > "$dir/crate/src/lib.rs"
printf '[package]\nname = "sources"\nversion = "0.0.0"\n[dependencies]\nlibdeflate-sys = "=%s"\n' "$version" > "$dir/crate/Cargo.toml"
(cd "$dir/crate" && cargo generate-lockfile -q && grep -qx "checksum = \"$sha256\"" Cargo.lock && cargo vendor -q --locked "$dir/vendor" > /dev/null)
lib=$dir/vendor/libdeflate-sys/libdeflate
pip install -q --target "$dir/zig" "ziglang==$zig"

# No block is the last one of the stream, and the slow levels are left out.
sed -e 's/bfinal = is_final_block;/bfinal = 0;/' -e 's/ADD_BITS(is_final_block, 1);/ADD_BITS(0, 1);/' \
  -e 's/SUPPORT_NEAR_OPTIMAL_PARSING[[:space:]]*1/SUPPORT_NEAR_OPTIMAL_PARSING 0/' \
  "$lib/lib/deflate_compress.c" > "$lib/lib/deflate_open.c"
[ "$(grep -c -e 'bfinal = 0;' -e 'ADD_BITS(0, 1);' "$lib/lib/deflate_open.c")" -eq 5 ]
# Without simd128: where a processor has no SSE4.1, the runtimes refuse a module that uses it.
"$dir/zig/ziglang/zig" cc -target wasm32-freestanding -mcpu=generic+bulk_memory -O2 -nostdlib \
  -Wl,--no-entry -Wl,--strip-all -I "$lib" -o "$dir/deflate.wasm" "$here/deflate.c"
{
  echo '/**'
  echo " * libdeflate $(sed -n 's/.*LIBDEFLATE_VERSION_STRING[[:space:]]*"\(.*\)"/\1/p' "$lib/libdeflate.h") as WebAssembly; made by .ci/deflate/build.sh."
  echo ' *'
  sed -e 's/^/ * /' -e 's/ *$//' "$lib/COPYING"
  echo ' *'
  echo " * @module"
  echo ' */'
  echo '/** The module, base64. */'
  echo '// deno-fmt-ignore'
  printf 'export const LIBDEFLATE_WASM = "%s";\n' "$(base64 -w 0 "$dir/deflate.wasm")"
} > "$target"
sha256sum "$dir/deflate.wasm" >&2
