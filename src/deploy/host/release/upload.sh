# $1 bytes of the package  $2 `unpack` to unpack it while it arrives: every byte of it was inspected before it was sent.
d_held
# Chooses what unpacks while openssl or sha256sum hash: gzip takes up to twice as long as pigz.
d_choose_gunzip() {
  d_gunzip='gzip -dc'
  [ "$1" -ge 16777216 ] || return 0
  if d_empty | pigz -dc > /dev/null 2>&1; then d_gunzip='pigz -dc'; fi
}
d_empty() { printf '\037\213\010\0\0\0\0\0\0\003\003\0\0\0\0\0\0\0\0\0'; }
# Writes stdin to `package` in directory $1, its SHA-256 to `digest` and what it is unpacked to stdout. It reads to the end
# also after a failure to unpack, of which it leaves `failed` and `errors`. Its blocks are of 1 MiB, where tee's are of 8 KiB.
d_python_receive() {
  python3 -I -S -c '
import fcntl, hashlib, os, sys, zlib
block, linux_set_pipe_size = 1048576, 1031
def write(fd, data):
    data = memoryview(data)
    while data:
        data = data[os.write(fd, data):]
os.chdir(sys.argv[1])
package = os.open("package", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
digest, gunzip, failure = hashlib.sha256(), zlib.decompressobj(31), ""
for fd in 0, 1:
    try:
        fcntl.fcntl(fd, linux_set_pipe_size, block)
    except OSError:
        pass
packed = os.read(0, block)
while packed:
    try:
        write(package, packed)
    except OSError as error:
        sys.exit("cannot write the package: " + error.strerror)
    digest.update(packed)
    try:
        while packed and not failure:
            if gunzip.eof:
                gunzip = zlib.decompressobj(31) # the next member
            write(1, gunzip.decompress(packed, block))
            packed = gunzip.unconsumed_tail or gunzip.unused_data
    except (OSError, zlib.error) as error:
        failure = str(error)
    packed = os.read(0, block)
if not failure and not gunzip.eof:
    failure = "the gzip file ends too early"
if failure:
    open("failed", "w").close()
    with open("errors", "a") as file:
        file.write(failure + "\n")
with open("digest", "w") as file:
    file.write(digest.hexdigest() + "\n")' "$1"
}
# Only a python3 that can do it, which takes 30 ms to begin.
d_has_python() { # bytes of the package
  [ "$1" -ge 16777216 ] || return 1
  mkdir "$stage/tried"
  d_empty | d_python_receive "$stage/tried" > "$stage/tried/printed" 2>/dev/null &&
    [ ! -s "$stage/tried/printed" ] && [ ! -e "$stage/tried/failed" ] &&
    [ "$(cat "$stage/tried/digest")" = 59869db34853933b239f1e2219cf7d431da006aa919635478511fabbfc8849d2 ]
}
# Reads to the end, also after a failure, so that it does not stop who writes; the next steps say what failed.
d_untar() { tar -xof - -C "$stage/tree" 2>> "$stage/errors" || echo tar > "$stage/failed"; cat > /dev/null; }
if [ "$2" != unpack ]; then
  cat > "$stage/package"
elif d_has_python "$1"; then
  mkdir "$stage/tree"
  { d_python_receive "$stage" && : > "$stage/received"; } | d_untar
  [ -e "$stage/received" ] || exit 1
elif command -v tee > /dev/null && mkfifo "$stage/to_unpack" "$stage/to_hash" 2>/dev/null; then
  mkdir "$stage/tree"
  d_choose_hash "$1"
  d_choose_gunzip "$1"
  { $d_hash > "$stage/digest"; cat > /dev/null; } < "$stage/to_hash" &
  { { $d_gunzip 2>> "$stage/errors" || echo gzip > "$stage/failed"; cat > /dev/null; } | d_untar; } < "$stage/to_unpack" &
  d_ended=0
  tee "$stage/to_unpack" "$stage/to_hash" > "$stage/package" || d_ended=$?
  wait
  [ "$d_ended" -eq 0 ] || exit 1
else
  cat > "$stage/package"
fi
