# d_sweep_all removes the files in envs/ but those of the list $1, and the directories in run/ but those of $2, a line each.
d_nl='
'
d_sweep_dir() { # directory, what to keep
  for d_item in "$1"/*; do
    [ -e "$d_item" ] || continue
    case "$d_nl$2$d_nl" in *"$d_nl${d_item##*/}$d_nl"*) ;; *) rm -rf "$d_item" || return 1 ;; esac
  done
}
d_sweep_all() { d_sweep_dir "$base/envs" "$1" && d_sweep_dir "$base/run" "$2"; }
