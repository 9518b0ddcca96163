# $1 owner or empty. The two directories alone, never their content: from then on it is the user's own.
if [ -n "$1" ] && [ "$(id -u)" = 0 ]; then chown -h "$1" "$base/shared" "$base/log"; fi
