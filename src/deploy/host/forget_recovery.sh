d_held
rm -f "$base/recover.sh"
d_sync
