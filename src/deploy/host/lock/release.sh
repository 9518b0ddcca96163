# Of an acquire that was killed.
for d_file in "$base"/.tmp.*."$token".*; do
  if [ -e "$d_file" ] || [ -L "$d_file" ]; then rm -f "$base"/.tmp.*."$token".*; break; fi
done
d_enter
if d_load && [ "$l_token" = "$token" ]; then
  rm -rf "$base/staging" || :
  rm -f "$base/lock"
  d_leave
  echo @released
else
  d_leave
  d_refuse lost "the lock was no longer ours"
fi
