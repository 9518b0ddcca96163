d_held
rm -rf "$stage"
# With its parent: the acquire may have been killed before it came to that.
( umask 077; mkdir -p "$stage" )
