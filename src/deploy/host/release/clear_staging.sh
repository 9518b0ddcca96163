d_held
rm -rf "$stage"
# With its parent: the acquire may have been killed before it made it.
( umask 077; mkdir -p "$stage" )
