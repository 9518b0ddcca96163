# Resolves the user $h_as (may be empty). Sets h_drop (yes or empty), h_user, h_home, h_path,
# and h_me, who we are, unless it is set.
h_login() {
  h_drop= h_user=${h_me:=$(id -un)} h_home=${HOME:-/} h_path=$h_given_path
  case $h_as in '') return 0 ;; -* | *[!A-Za-z0-9_.\$-]*) return 1 ;; esac
  h_its=$(id -u "$h_as" 2>/dev/null) || return 1
  [ "$h_its" != "$(id -u)" ] || return 0
  h_drop=yes h_user=$h_as h_path=$h_fixed_path h_home=/
  eval "h_home=~$h_as"
}
