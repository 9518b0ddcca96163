# $1 bytes of the package  $2 `unpack` to unpack it while it arrives: every byte of it was inspected before it was sent.
d_held
d_choose_hash "$1"
if [ "$2" = unpack ] && command -v tee > /dev/null && mkfifo "$stage/to_unpack" "$stage/to_hash" 2>/dev/null; then
  mkdir "$stage/tree"
  d_choose_gunzip "$1"
  # Each reads to the end, also after a failure, so that it does not stop the others; the next steps say what failed.
  { $d_hash > "$stage/digest"; cat > /dev/null; } < "$stage/to_hash" &
  {
    { $d_gunzip || echo gzip > "$stage/failed"; cat > /dev/null; } < "$stage/to_unpack" |
      { tar -xof - -C "$stage/tree" || echo tar > "$stage/failed"; cat > /dev/null; }
  } 2> "$stage/errors" &
  d_ended=0
  tee "$stage/to_unpack" "$stage/to_hash" > "$stage/package" || d_ended=$?
  wait
  [ "$d_ended" -eq 0 ] || exit 1
else
  cat > "$stage/package"
fi
