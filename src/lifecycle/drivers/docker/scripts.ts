/**
 * The scripts that start, stop and reload a container, and read its log: POSIX sh text.
 *
 * Each begins with the arguments of `IDENTITY` and reports lines `@harness WORD …`; what follows the line
 * `@harness log` is the container's own, whatever it looks like.
 *
 * @module
 */
import { FAILURE_LOG_BYTES, FAILURE_LOG_LINES } from "../../limits.ts";
import { CREATE_FUNCTIONS } from "./env.ts";
import { GUARD_FUNCTIONS } from "./guard.ts";
import {
  DOCKER_CHANGE_SECONDS,
  DOCKER_LOAD_SECONDS,
  DOCKER_LOOK_SECONDS,
  DOCKER_STOP_GRACE_SECONDS,
} from "./limits.ts";
import { DOCKER_LIBRARY, LABELS } from "./shell.ts";

/** Finds the image: its id comes into h_id and a name of it into h_ref. */
const IMAGE = `
# The id of image $1 into h_found, which stays empty where there is none.
h_image_id() {
  h_code=0
  h_found=$(h_docker ${DOCKER_LOOK_SECONDS} image inspect -f '{{.Id}}' -- "$1" 2>&1 </dev/null) || h_code=$?
  if [ "$h_code" = 0 ]; then h_found=$(printf '%s\\n' "$h_found" | tail -n 1); return 0; fi
  case $h_found in *"o such image"* | *"o such object"* | *"image not known"*) h_found=; return 0 ;; esac
  h_refused "$h_code" ${DOCKER_LOOK_SECONDS} docker "$h_found"
}
# Loads the image file; what was in it comes into h_refs, a line each.
h_load() {
  h_code=0
  h_refs=$(h_docker ${DOCKER_LOAD_SECONDS} load -q -i "$h_tar" 2>&1 </dev/null) || h_code=$?
  [ "$h_code" = 0 ] || h_refused "$h_code" ${DOCKER_LOAD_SECONDS} "the image file $h_tar cannot be loaded" "$h_refs"
  h_refs=$(printf '%s\\n' "$h_refs" | sed -n 's/^Loaded image[^:]*: *//p')
  [ -n "$h_refs" ] || h_fail "the image file $h_tar holds no image"
}
# Of the loaded images the one that is asked for, or the only one.
h_choose() {
  h_load
  h_ids=
  h_image_id "$h_image"
  h_asked=$h_found
  for h_ref in $h_refs; do
    h_image_id "$h_ref"
    case " $h_ids " in *" $h_found "*) ;; *) h_ids="$h_ids\${h_ids:+ }$h_found" ;; esac
  done
  case " $h_ids " in
    *" $h_asked "*) if [ -n "$h_asked" ]; then h_id=$h_asked h_ref=$h_image; return; fi ;;
  esac
  case $h_ids in
    *" "*) h_fail "the image file $h_tar holds several images ($(printf '%s' "$h_refs" | tr '\\n' ' ')) and none is $h_image: name one of them as service.image" ;;
  esac
  h_id=$h_ids
}
h_find_image() {
  if [ -n "$h_want" ]; then
    h_image_id "$h_want"
    if [ -z "$h_found" ] && [ -n "$h_tar" ] && [ -r "$h_tar" ]; then h_load; h_image_id "$h_want"; fi
    [ -n "$h_found" ] || h_fail "the image $h_want, which $h_version was deployed with as $h_image, is not on this machine any more, and another one is not taken for it: load it again by docker load, or deploy $h_version anew"
    h_id=$h_found h_ref=$h_want
    # By its name where that still means this image: people read it in docker ps.
    h_image_id "$h_image"
    [ "$h_found" != "$h_id" ] || h_ref=$h_image
    return
  fi
  if [ -n "$h_tar" ]; then h_choose; return; fi
  h_image_id "$h_image"
  [ -n "$h_found" ] || h_fail "the image $h_image is not on this machine, and images are never pulled: put image.tar into the package or load it by hand"
  h_id=$h_found h_ref=$h_image
}
`;

/** Says that something else is there, and what. */
const OCCUPIED = `
h_occupied() {
  h_show "$s_id"
  h_what="$s_state, image $s_image"
  if [ -n "$s_service" ] && [ "$s_service" != "$h_service" ]; then
    h_tell occupied "a container $h_name of the service $s_service is there ($h_what): uninstall that service, or give one of them another name"
  elif [ -n "$s_service" ] && [ -n "$s_root$s_install" ]; then
    h_tell occupied "a container $h_name of the installation under \${s_root:-\${s_install%/*}} is there ($h_what): uninstall it there first"
  else
    h_tell occupied "a container $h_name that is not ours is there ($h_what): remove or rename it"
  fi
  exit 0
}
`;

/**
 * After {@linkcode IDENTITY}'s: $1 image  $2 id of the recorded image or empty  $3 image tar or empty  $4 env file or
 * empty  $5 restart policy  $6 stop signal  $7 version  $8 tenths it must live  $9 run id, then `-p` words.
 */
export const START_CONTAINER: string =
  `${DOCKER_LIBRARY}${IMAGE}${OCCUPIED}${GUARD_FUNCTIONS}${CREATE_FUNCTIONS}
h_image=$1 h_want=$2 h_tar=$3 h_env=$4 h_restart=$5 h_stop=$6 h_version=$7 h_settle=$8 h_run=$9
shift 9
[ -z "$h_env" ] || [ -r "$h_env" ] || h_fail "its env file $h_env cannot be read"
h_look "$h_name"
[ -z "$s_id" ] || h_ours || h_occupied
h_stray=$(h_strays "\${s_id:-none}")
[ -z "$h_stray" ] || { h_show "\${h_stray%% *}"; h_tell occupied "a container of this service runs under another name, \${h_stray#* }: rename it back, or stop it"; exit 0; }
h_find_image
# What makes an existing container unfit: another image, environment, ports, policy or release than asked for.
h_digest() { if command -v sha256sum >/dev/null 2>&1; then sha256sum; else cksum; fi; }
h_print=$( { printf '%s\\n' "$h_id" "$h_service" "$h_root" "$h_release" "$h_version" "$h_restart" "$h_stop" "$*"; [ -z "$h_env" ] || cat "$h_env"; } | h_digest)
h_print=\${h_print%% *}
# Of the version before there is no such print: its container is as good as new when release and image are the same.
h_same() {
  [ "$s_image" = "$h_id" ] || return 1
  if [ -n "$s_root" ]; then [ "$s_print" = "$h_print" ]; else [ "$s_install" = "$h_release" ]; fi
}
if [ -n "$s_id" ] && h_up; then
  if ! h_same; then
    h_show "$s_id"
    h_from=\${s_release:-$s_install}
    h_tell occupied "its container runs already, but from \${h_from:-another image} with other settings: stop it first"
    exit 0
  fi
  case $s_state in
    running) h_guard again; h_show "$s_id"; exit 0 ;;
    paused)
      h_code=0
      h_words=$(h_docker ${DOCKER_CHANGE_SECONDS} unpause "$s_id" 2>&1 >/dev/null </dev/null) || h_code=$?
      [ "$h_code" = 0 ] || h_refused "$h_code" ${DOCKER_CHANGE_SECONDS} "docker unpause" "$h_words"
      h_guard again; h_show "$s_id"; exit 0 ;;
  esac
  # Between two of docker's own restarts: from the beginning.
  h_docker ${DOCKER_CHANGE_SECONDS} stop -t 1 "$s_id" >/dev/null 2>&1 </dev/null
fi
if [ -n "$s_id" ] && { [ "$s_state" = dead ] || [ -z "$s_root" ] || ! h_same; }; then
  h_code=0
  h_words=$(h_docker ${DOCKER_CHANGE_SECONDS} rm -f "$s_id" 2>&1 >/dev/null </dev/null) || h_code=$?
  [ "$h_code" = 0 ] || h_refused "$h_code" ${DOCKER_CHANGE_SECONDS} "the old container cannot be removed" "$h_words"
  s_id=
fi
if [ -z "$s_id" ]; then
  [ -z "$h_env" ] || command -v awk >/dev/null 2>&1 || h_fail "awk is not installed on this machine"
  h_names=
  [ -z "$h_env" ] || h_names=$(awk "$h_awk" odd "$h_env") || h_fail "its env file $h_env cannot be read"
  if [ -z "$h_names" ]; then h_create "$h_ref" "$@"; else h_request "$h_ref" "$@"; fi
  [ "$h_code" = 0 ] || h_refused "$h_code" ${DOCKER_CHANGE_SECONDS} "docker create" "$h_words"
  h_new=$(h_docker ${DOCKER_LOOK_SECONDS} ps -a --no-trunc --filter "label=${LABELS.run}=$h_run" --format '{{.ID}}' 2>/dev/null </dev/null | head -n 1)
  [ -z "$h_new" ] || h_look "$h_new"
  [ -n "$s_id" ] && [ "$s_image" = "$h_id" ] && h_ours || {
    [ -z "$s_id" ] || h_docker ${DOCKER_CHANGE_SECONDS} rm -f "$s_id" >/dev/null 2>&1 </dev/null
    h_fail "the container that was created is another one than was asked for: something else on this machine works on the same names"
  }
else
  # A stop of ours took the policy away.
  h_docker ${DOCKER_CHANGE_SECONDS} update --restart "$h_restart" "$s_id" >/dev/null 2>&1 </dev/null
fi
h_mine=$s_id
h_since=$(date +%s)
h_give_up() {
  h_docker ${DOCKER_LOOK_SECONDS} update --restart no "$s_id" >/dev/null 2>&1 </dev/null
  h_show "$s_id"
  h_tell failed "$1"
  h_tell log
  h_docker ${DOCKER_LOOK_SECONDS} logs --since "$h_since" --tail ${FAILURE_LOG_LINES} "$s_id" 2>&1 </dev/null |
    tail -c ${FAILURE_LOG_BYTES}
  h_docker ${DOCKER_CHANGE_SECONDS} stop -t 1 "$s_id" >/dev/null 2>&1 </dev/null
  exit 0
}
h_code=0
h_words=$(h_docker ${DOCKER_CHANGE_SECONDS} start "$s_id" 2>&1 >/dev/null </dev/null) || h_code=$?
if [ "$h_code" != 0 ]; then
  h_late "$h_code" && h_silent ${DOCKER_CHANGE_SECONDS}
  h_give_up "docker start: $(printf '%s\\n' "$h_words" | grep -v '^Error: failed to start' | tail -n 1)"
fi
# What was started now, and nothing that took its place: docker counts restarts from zero again at each start.
h_life() { h_docker ${DOCKER_LOOK_SECONDS} inspect --type container -f '{{.State.Status}} {{.State.Pid}} {{.State.StartedAt}}' "$s_id" 2>/dev/null </dev/null; }
h_born=$(h_life)
h_t=0
while [ $h_t -lt "$h_settle" ]; do h_nap; done
case $h_born in "running "*) ;; *) h_give_up "it did not stay up" ;; esac
[ "$(h_life)" = "$h_born" ] || h_give_up "it did not stay up"
h_look "$h_name"
[ "$s_id" = "$h_mine" ] || { s_id=$h_mine; h_give_up "its container lost the name $h_name while it started"; }
h_guard anew
h_show "$s_id"
exit 0
`;

/** After {@linkcode IDENTITY}'s: $1 whole seconds of patience. */
export const STOP_CONTAINER: string = `${DOCKER_LIBRARY}${GUARD_FUNCTIONS}
h_unguard
h_look "$h_name"
if h_ours; then
  # First the policy: docker would start it again when it is itself started anew, whoever has stopped it.
  h_docker ${DOCKER_LOOK_SECONDS} update --restart no "$s_id" >/dev/null 2>&1 </dev/null
  h_code=0 h_limit=$(($1 + ${DOCKER_STOP_GRACE_SECONDS}))
  h_words=$(h_docker "$h_limit" stop -t "$1" "$s_id" 2>&1 >/dev/null </dev/null) || h_code=$?
  case $h_code:$h_words in 0:* | *"o such "*) ;; *) h_refused "$h_code" "$h_limit" "docker stop" "$h_words" ;; esac
  h_show "$s_id"
else
  # Nothing of this service has its name. What somebody else has there is theirs.
  s_id=none
  h_tell container
fi
h_stray=$(h_strays "$s_id")
[ -z "$h_stray" ] || h_fail "a container of this service runs under another name, \${h_stray#* }: rename it back, or stop it by docker stop"
`;

/** Sends SIGHUP to the main process of the container. */
export const RELOAD_CONTAINER: string = `${DOCKER_LIBRARY}
h_look "$h_name"
h_ours || h_fail "there is no container of this service"
h_code=0
h_words=$(h_docker ${DOCKER_LOOK_SECONDS} kill -s HUP "$s_id" 2>&1 >/dev/null </dev/null) || h_code=$?
[ "$h_code" = 0 ] || h_refused "$h_code" ${DOCKER_LOOK_SECONDS} "docker kill -s HUP" "$h_words"
h_show "$s_id"
`;

/** After {@linkcode IDENTITY}'s: $1 lines, or `follow`. */
export const CONTAINER_LOGS: string = `${DOCKER_LIBRARY}
h_fail() { echo "$*" >&2; exit 1; }
h_silent() { h_fail "Docker did not respond within $1 s"; }
h_look "$h_name"
h_ours || h_fail "there is no container of this service"
if [ "$1" = follow ]; then h_exec=exec; h_client docker logs --tail 0 -f "$s_id" 2>&1 </dev/null; fi
h_docker ${DOCKER_LOOK_SECONDS} logs --tail "$1" "$s_id" 2>&1 </dev/null
`;
