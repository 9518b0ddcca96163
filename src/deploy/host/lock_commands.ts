/**
 * The commands around the lock: take it, look at the host, renew it, free it. Pure: data for an executor.
 *
 * @module
 */
import type { Command } from "../../executor/executor.ts";
import { OWN_DESCRIPTORS } from "../../lifecycle/drivers/shell/library.ts";
import { BOUNDARY } from "./boundary.ts";
import { GUARDIAN_SCRIPT, HOST_LIBRARY } from "./library.ts";
import type { HostLayout } from "./layout.ts";

/** What every command on a host needs. */
export interface HostPlace {
  /** Paths of the service on the host. */
  layout: HostLayout;
  /** Token of our lock. */
  token: string;
}

/** What to find out about a host. */
export interface Questions {
  /** Directory the release will have, or empty. */
  releaseDir: string;
  /** Digest whose presence in the cache matters, or empty. */
  sha256: string;
  /** User the service runs as, or empty. */
  user: string;
  /** Commands it needs. */
  commands: readonly string[];
  /** Libraries it needs. */
  libraries: readonly string[];
  /** What the service runs in: the type of its manifest, or empty. */
  serviceType: string;
}

/** The scripts of this folder by name. */
export type HostScript =
  | "acquire"
  | "clear_staging"
  | "commit"
  | "configure"
  | "extract"
  | "facts"
  | "forget_recovery"
  | "give_dirs"
  | "leave_recovery"
  | "prune"
  | "record"
  | "recover"
  | "release"
  | "renew"
  | "same_env"
  | "switch"
  | "switch_back"
  | "upload"
  | "verify";

/** A script of this folder as a command. */
export function hostCommand(
  place: HostPlace,
  name: HostScript,
  script: string,
  args: readonly (string | number)[] = [],
): Command {
  return {
    name: `deploy/${name}`,
    script: `${HOST_LIBRARY}${script}`,
    args: [place.layout.root, place.layout.base, place.token, ...args.map(String)],
  };
}

/** Prints what {@linkcode parseFacts} reads. $1 release dir  $2 sha256  $3 user  $4 commands  $5 libraries, a line each  $6 type. */
const FACTS = `
d_say() { printf '%s=%s\\n' "$1" "$2"; }
echo @facts
d_say arch "$(uname -m)"
d_say uid "$(id -u)"
d_say login "$(id -un 2>/dev/null || id -u)"
# The same machine and directory under whatever name: no two machines share a boot.
d_say place "$d_boot $(uname -n) $(stat -c %d:%i "$base" 2>/dev/null || ls -di "$base" 2>/dev/null | sed 's/^ *//; s/ .*//')"
d_say free_kb "$(df -Pk "$base" 2>/dev/null | sed -n '2s/.* \\([0-9][0-9]*\\)  *[0-9]*%.*/\\1/p')"
d_same=yes
d_mount() { df -Pk "$1" 2>/dev/null | sed -n '2s/ .*%  */ /p'; }
[ "$(d_mount "$root")" = "$(d_mount "$base")" ] || d_same=no
d_say same_fs "$d_same"
d_say recover "$([ -f "$base/recover.sh" ] && echo yes || echo no)"
d_say current "$(readlink "$base/current" 2>/dev/null || :)"
d_say dir "$([ -n "$1" ] && { [ -e "$1" ] || [ -L "$1" ]; } && echo yes || echo no)"
d_say forced_dir "$([ -n "$1" ] && [ -e "$1~$(printf '%.8s' "$2")" ] && echo yes || echo no)"
d_digest=
if [ -n "$2" ] && [ -f "$root/.harness/cache/$2" ]; then
  d_digest=$(sha256sum < "$root/.harness/cache/$2" 2>/dev/null) || d_digest=
fi
d_say cached "\${d_digest%% *}"
d_say systemd "$([ -d /run/systemd/system ] && [ "$(id -u)" = 0 ] && command -v systemctl >/dev/null 2>&1 && echo yes || echo no)"
d_say user "$([ -z "$3" ] || id "$3" >/dev/null 2>&1 && echo yes || echo no)"
d_say writable "$([ -w "$root" ] && [ -w "$base" ] && echo yes || echo no)"
d_lines() { [ -z "$1" ] || printf '%s\\n' "$1"; }
d_lines "$4" | while IFS= read -r d_item; do
  command -v "$d_item" >/dev/null 2>&1 || d_say missing_command "$d_item"
done
for d_item in tar gzip sha256sum awk fold; do
  command -v "$d_item" >/dev/null 2>&1 || d_say missing_command "$d_item"
done
d_lines "$5" | while IFS= read -r d_item; do
  # The second look is for hosts without ldconfig (musl).
  ldconfig -p 2>/dev/null | grep -q -F "	$d_item " ||
    [ -n "$(find /lib /lib64 /usr/lib /usr/lib64 /usr/local/lib -maxdepth 2 -name "$d_item" 2>/dev/null | head -n 1)" ] ||
    d_say missing_library "$d_item"
done
d_docker() { # in a way that podman's docker understands, too
  # Well within the life of the lock. Old BusyBox has a timeout that wants its time otherwise.
  if timeout 8 true >/dev/null 2>&1; then timeout 8 docker ps -q -n 1
  elif timeout -t 8 true >/dev/null 2>&1; then timeout -t 8 docker ps -q -n 1
  else docker ps -q -n 1; fi
}
d_engine=
case $6 in
  systemd_*) [ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1 || d_engine="systemd does not run there" ;;
  docker_*)
    if ! command -v docker >/dev/null 2>&1; then d_engine="it does not have docker; install it"
    else
      # To a file: a child that docker leaves behind would keep a pipe open. Elsewhere if none can be made.
      d_file="$base/.tmp.docker.$token.$$" d_code=0
      ( : > "$d_file" ) 2>/dev/null || d_file=/dev/null
      d_docker 2>"$d_file" >/dev/null </dev/null || d_code=$?
      case $d_code in
        0) ;;
        # Of timeout's kinds: BusyBox's ends like what it ended.
        124 | 137 | 143) d_engine="Docker did not respond within 8 s" ;;
        *) d_error=$(tail -n 1 "$d_file"); d_engine="its docker does not answer: \${d_error:-it ended with code $d_code}" ;;
      esac
      [ "$d_file" = /dev/null ] || rm -f "$d_file"
    fi ;;
esac
d_say engine "$d_engine"
d_say state "$({ [ -e "$base/state.json" ] || [ -L "$base/state.json" ]; } && echo yes || echo no)"
echo @state
cat "$base/state.json" 2>/dev/null || :
`;

/**
 * $1 seconds to live  $2 deployment  $3 since  $4 owner  $5 guardian, then the questions.
 * Staging is emptied before anything is put there: whatever is in it belongs to a deployment that is gone.
 */
const ACQUIRE = `${BOUNDARY}
d_error=$({ mkdir -p "$base" "$root/.harness/cache" && umask 077 && mkdir -p "$base/output"; } 2>&1) || d_refuse unwritable "$d_error"
# Somebody may have been quicker to make them, in a directory where everybody may.
d_boundary
# By cat, which says why it cannot write; the shells' own echo only speaks of an I/O error.
d_probe="$base/.tmp.probe.$token.$$"
d_error=$( { echo probe | cat > "$d_probe"; } 2>&1) || { rm -f "$d_probe"; d_refuse unwritable "$d_error"; }
rm -f "$d_probe"
d_enter
if d_load; then
  if d_stale; then
    printf '@stale %s %s\\n' "$l_deployment" "$l_owner"
  else
    d_leave
    printf '@held %s|%s|%s|%s\\n' "$l_deployment" "$d_left" "$l_since" "$l_owner"
    exit 0
  fi
fi
d_put "$1" "$2" "$3" "$4" || { rm -f "$base/.tmp.lock.$token.$$"; d_leave; d_refuse unwritable "the lock cannot be written"; }
d_leave
d_own=
if command -v setsid >/dev/null 2>&1; then d_own=setsid
elif busybox setsid true >/dev/null 2>&1; then d_own='busybox setsid'
elif command -v nohup >/dev/null 2>&1; then d_own=nohup
fi
(
  cd /
  set -- $d_own sh -c "$5" harness-guardian "$root" "$base" "$token" "$1"
  ${OWN_DESCRIPTORS}
  exec "$@"
) </dev/null >/dev/null 2>&1 &
shift 5
rm -rf "$base/staging" 2>/dev/null || :
( umask 077; mkdir -p "$stage" )
d_sweep
`;

/** Takes the lock, starts the guardian, empties staging and answers the questions. */
export function acquireCommand(
  place: HostPlace,
  lock: { ttlSeconds: number; deploymentId: string; since: string; owner: string },
  questions: Questions,
): Command {
  return hostCommand(place, "acquire", ACQUIRE + FACTS, [
    lock.ttlSeconds,
    lock.deploymentId,
    lock.since,
    lock.owner,
    GUARDIAN_SCRIPT,
    ...questionArgs(questions),
  ]);
}

/** Undoes an interrupted switch and answers the questions. */
export function recoverCommand(place: HostPlace, questions: Questions): Command {
  const script = `
d_held
d_recover || d_refuse recovery "the interrupted deployment cannot be undone: $(tail -n 3 "$base/output/recovery.log" | tr '\\n' ' ')"
`;
  return hostCommand(place, "recover", script + FACTS, questionArgs(questions));
}

/** Answers the questions again: changes nothing. */
export function factsCommand(place: HostPlace, questions: Questions): Command {
  return hostCommand(place, "facts", FACTS, questionArgs(questions));
}

/** Renews the lock. */
export function renewCommand(place: HostPlace): Command {
  const script = `
d_enter
if d_load && [ "$l_token" = "$token" ]; then
  d_renew
  d_leave
  echo @renewed
else
  d_leave
  d_refuse lost "the lock is no longer ours"
fi
`;
  return hostCommand(place, "renew", script);
}

/** Removes the temp files and frees the lock; fine when it is gone. */
export function releaseCommand(place: HostPlace): Command {
  const script = `
# Of an acquire that was killed half-way.
rm -f "$base"/.tmp.*."$token".*
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
`;
  return hostCommand(place, "release", script);
}

function questionArgs(questions: Questions): string[] {
  return [
    questions.releaseDir,
    questions.sha256,
    questions.user,
    questions.commands.join("\n"),
    questions.libraries.join("\n"),
    questions.serviceType,
  ];
}
