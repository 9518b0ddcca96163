# Whose a generated unit is.
# $1 unit  $2 service  $3 place  $4 run dir  $5 release  $6 digest of the text of earlier versions.
# Sets h_class: none, ours, unmarked (ours, by an earlier version), edited (ours, changed by hand), elsewhere (of
# another installation), foreign; h_why in words, and m_… as the text has it. Nothing here trusts the name.
h_unit=$1 h_service=$2 h_place=$3 h_run_dir=$4 h_release=$5 h_digest=$6
h_file=/etc/systemd/system/$h_unit
shift 6
h_mark() { sed -n "3,7s|^# harness-$1: ||p" "$h_file" | head -n 1; }
h_text_value() { sed -n "s/^$1=//p" "$h_file" | head -n 1 | sed 's/%%/%/g'; }
h_read_marks() {
  m_service=$(h_mark service) m_place=$(h_mark place) m_release=$(h_mark release) m_run_dir=$(h_mark run-dir) m_run=$(h_mark run)
  h_written=$(sed -n '2s/^# harness-sha256: //p' "$h_file")
  if [ -z "$h_written" ]; then h_read_unmarked
  elif [ "$h_written" != "$(tail -n +3 "$h_file" | sha256sum | cut -d ' ' -f 1)" ]; then
    h_class=edited h_why="$h_file was edited by hand; move your changes to a drop-in (systemctl edit $h_unit) and remove the file"
  elif [ "$m_service" = "$h_service" ] && [ "$m_place" = "$h_place" ]; then h_class=ours
  else h_class=elsewhere h_why="it is the one of $m_place"
  fi
}
h_read_unmarked() {
  h_env_file=$(h_text_value EnvironmentFile)
  m_release=$(h_text_value WorkingDirectory)
  if [ "$(head -n 1 "$h_file")" != '# Made by harness-ws-server; written anew at each start.' ]; then
    m_release= h_why="$h_file was not made by harness-ws-server"
  elif [ "$(sed '/^Description=/d' "$h_file" | sha256sum | cut -d ' ' -f 1)" = "$h_digest" ]; then h_class=unmarked m_run_dir=$h_run_dir
  else
    case $h_env_file in
      "$h_place"/envs/*) h_class=unmarked ;;
      */.harness/*/envs/*) h_class=elsewhere m_place=${h_env_file%/envs/*} h_why="it is the one of $m_place" ;;
      *) h_class=elsewhere h_why="it is that of another command" ;;
    esac
  fi
}
h_examine() {
  h_class=foreign h_changed= h_why= m_service= m_place= m_release= m_run_dir= m_run=
  h_look
  h_fragment=$(h_seen_is FragmentPath)
  if [ "$(h_seen_is LoadState)" = masked ]; then h_why="it is masked (systemctl unmask $h_unit)"
  elif [ -L "$h_file" ]; then h_why="$h_file is a link to $(readlink "$h_file")"
  elif [ "$(h_seen_is Id)" != "$h_unit" ]; then h_why="its name is an alias of $(h_seen_is Id)"
  elif [ -n "$h_fragment" ] && [ "$h_fragment" != "$h_file" ]; then h_why="it is the one of $h_fragment"
  elif [ -f "$h_file" ]; then h_read_marks
  elif [ -e "$h_file" ]; then h_why="$h_file is no file"
  elif ! h_is_up; then h_class=none
  elif [ "$(h_carries data)" = "$h_place/shared" ]; then h_class=ours m_run=$(h_carries run) m_release=$(h_carries release)
  else h_why="it runs, and its file is gone"
  fi
  case $h_class in none | ours | unmarked | elsewhere) h_examine_dropins ;; esac
}
# Where drop-ins of the unit may be, its own and those of its prefixes.
h_dropins() {
  h_names="$h_unit.d service.d" h_stem=${h_unit%.service}
  while :; do
    case $h_stem in *-*) h_stem=${h_stem%-*}; h_names="$h_names $h_stem-.service.d" ;; *) break ;; esac
  done
  for h_top in /etc/systemd/system.control /run/systemd/system.control /run/systemd/transient /etc/systemd/system \
    /run/systemd/system /run/systemd/generator /usr/local/lib/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
    for h_name in $h_names; do
      for h_conf in "$h_top/$h_name"/*.conf; do [ ! -f "$h_conf" ] || printf '%s\n' "$h_conf"; done
    done
  done
}
# A drop-in is the administrator's right, except where it makes the unit run something else than what was deployed.
h_examine_dropins() {
  h_keys='ExecStart|Type|User|DynamicUser|WorkingDirectory|RootDirectory|RootImage|EnvironmentFile'
  h_bad=$(h_dropins | while IFS= read -r h_conf; do
    h_key=$(sed -n -E "s/^[[:space:]]*($h_keys)[[:space:]]*=.*/\\1/p" "$h_conf" | head -n 1)
    [ -z "$h_key" ] || { printf 'its drop-in %s sets %s; take that out\n' "$h_conf" "$h_key"; break; }
  done)
  [ -z "$h_bad" ] || h_changed=yes h_why=$h_bad
  [ -z "$h_bad" ] || [ "$h_class" != none ] || h_class=foreign
}
# Another installation's unit that was stopped there, or whose release is gone, gives way.
h_gives_way() { [ -z "$h_changed" ] && ! h_is_up && { [ "$(h_seen_is UnitFileState)" != enabled ] || [ ! -d "$m_release" ]; }; }
h_is_ours() { case $h_class in ours | unmarked) ;; *) return 1 ;; esac; }
# Whether the requested release runs: by its own environment, or, if that is overwritten, by the unit's text.
h_is_this_release() {
  if [ "$(h_carries data)" = "$h_place/shared" ]; then [ "$(h_carries release)" = "$h_release" ]; return; fi
  h_is_ours || return 1
  if [ -n "$(h_carries run)" ] && [ "$(h_carries run)" != "$m_run" ]; then return 1; fi
  if [ -n "$(h_carries release)" ] && [ "$(h_carries release)" != "$h_release" ]; then return 1; fi
  [ -n "$m_run_dir" ] && { [ "$m_run_dir" = "$h_run_dir" ]; return; }
  [ "$m_release" = "$h_release" ]
}
h_verdict() {
  h_report
  printf '@harness place %s\n@harness from %s\n@harness class %s\n@harness changed %s\n' "$m_place" "$m_release" "$h_class" "$h_changed"
  if [ "$h_class" = elsewhere ] && h_gives_way; then h_say gives way; fi
  h_say why "$(h_one_line "$h_why")"
}
h_occupied() { h_verdict; h_say occupied; exit 0; }
