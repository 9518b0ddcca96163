/**
 * The commands of the steps that change a host. Pure: data for an executor, tested as text and for real.
 *
 * Each begins by looking whether the lock is still ours, and each ends in a rename: whenever it is killed, the host
 * has the state from before or the one from after.
 *
 * @module
 */
import type { Command } from "../../executor/executor.ts";
import { DEPLOY_RESERVE_BYTES } from "../limits.ts";
import {
  MAX_ENTRY_PATH_BYTES,
  MAX_PACKAGE_ENTRIES,
  MAX_TAR_EXTENSION_BYTES,
  MAX_UNPACK_RATIO,
  MAX_UNPACKED_BYTES,
  UNPACK_RATIO_FLOOR_BYTES,
} from "../../model/limits.ts";
import { ARCHIVE_CHECK } from "./archive_check.ts";
import { hostCommand, type HostPlace } from "./lock_commands.ts";
import type { ReleaseLayout } from "./layout.ts";

/** Takes the package from stdin into staging. */
export function uploadCommand(place: HostPlace): Command {
  return hostCommand(
    place,
    "upload",
    `
d_held
cat > "$stage/package"
`,
  );
}

/**
 * Checks the digest of what was uploaded and every entry's name and kind, then keeps it in the cache.
 * With `cached`, the file in the cache is looked at.
 */
export function verifyCommand(
  place: HostPlace,
  options: { sha256: string; cached: boolean; size: number },
): Command {
  const script = `
d_held
d_kept="$root/.harness/cache/$1"
d_most=$3 d_idle=$4 d_entries=$5 d_path_bytes=$6 d_header_bytes=$7
if [ "$2" = cached ]; then d_file=$d_kept; else d_file="$stage/package"; fi
d_digest=$(sha256sum < "$d_file")
[ "\${d_digest%% *}" = "$1" ] || d_refuse digest "it arrived as sha256 \${d_digest%% *} instead of $1"
${ARCHIVE_CHECK}
[ "$d_file" = "$d_kept" ] || mv -f "$d_file" "$d_kept"
`;
  const most = Math.max(UNPACK_RATIO_FLOOR_BYTES, options.size * MAX_UNPACK_RATIO);
  return hostCommand(place, "verify", script, [
    options.sha256,
    options.cached ? "cached" : "uploaded",
    Math.min(MAX_UNPACKED_BYTES, most),
    UNPACK_RATIO_FLOOR_BYTES,
    MAX_PACKAGE_ENTRIES,
    MAX_ENTRY_PATH_BYTES,
    MAX_TAR_EXTENSION_BYTES,
  ]);
}

/**
 * Extracts the cached package beside its final place, checks every file, and moves it there in one rename.
 * stdin: `state.json` that says that the release is being installed.
 */
export function extractCommand(
  place: HostPlace,
  release: ReleaseLayout,
  options: { sha256: string; bytes: number },
): Command {
  const script = `
d_held
d_dir=$1 d_file="$root/.harness/cache/$2" d_tree="$stage/tree"
d_replace "$base/state.json" "$3"
rm -rf "$d_tree"
mkdir "$d_tree"
d_error=$(tar -xzof "$d_file" -C "$d_tree" 2>&1) || d_refuse extract "$(printf '%s' "$d_error" | head -c 300 | tr '\\n' ' ')"
cd "$d_tree"
d_bad() { d_refuse archive "$1: $2"; }
d_hit=$(find . ! -type f ! -type d ! -type l | head -n 1); [ -z "$d_hit" ] || d_bad "an entry that is no file, directory or symbolic link" "$d_hit"
d_hit=$(find . -type f -links +1 | head -n 1); [ -z "$d_hit" ] || d_bad "a hard link" "$d_hit"
d_real=$(pwd -P)
find . -type l > ../links
while IFS= read -r d_link; do
  d_target=$(readlink "$d_link")
  d_end=$(cd "$(dirname -- "$d_link")" 2>/dev/null && cd "$(dirname -- "$d_target")" 2>/dev/null && pwd -P) || d_end=
  [ ! -d "$d_link" ] || d_end=$(cd "$d_link" && pwd -P)
  case $d_end/ in "$d_real"/*) ;; *) d_bad "a link that leads out" "$d_link -> $d_target" ;; esac
done < ../links
[ -f SHA256SUMS ] || d_refuse sums "there is no SHA256SUMS in it"
d_error=$(sha256sum -c SHA256SUMS 2>&1) || d_refuse sums "$(printf '%s\\n' "$d_error" | grep -v -e ': OK$' | head -n 3 | tr '\\n' ' ')"
[ "$(find . -type f ! -path ./SHA256SUMS | wc -l)" -eq "$(sort -u SHA256SUMS | wc -l)" ] ||
  d_refuse sums "SHA256SUMS does not list every file"
# Whoever runs the service must be able to read it, and nobody but us to change it.
chmod -R u+rwX,go+rX,go-w .
cd /
d_place() {
  if [ -e "$d_dir" ]; then mv "$d_dir" "$stage/replaced" || return 1; fi
  mv "$d_tree" "$d_dir"
}
d_while_held d_place
d_sync
rm -rf "$stage/replaced"
`;
  return hostCommand(place, "extract", script, [release.dir, options.sha256, options.bytes]);
}

/**
 * Puts the environment from stdin into `envs/<name>` (0600), after what `inherit` holds; makes the directories, and
 * says what the release has.
 */
export function configureCommand(
  place: HostPlace,
  options: {
    dir: string;
    envName: string;
    inherit: string | null;
    bytes: number;
  },
): Command {
  const script = `
d_held
[ -d "$1" ] || d_refuse missing "the release is no longer there: $1"
mkdir -p "$base/shared" "$base/log"
umask 077
mkdir -p "$base/envs" "$base/output" "$base/run"
# Made by an earlier version, they could be read by everybody.
chmod 700 "$base/output" "$base/run"
d_receive "$stage/env.sent" "$4"
{ [ -z "$3" ] || cat "$base/envs/$3"; cat "$stage/env.sent"; } > "$stage/env.new"
mv -f "$stage/env.new" "$base/envs/$2"
rm -f "$stage/env.sent"
for d_part in scripts/stop.sh scripts/reload.sh image.tar; do
  [ ! -f "$1/$d_part" ] || echo "@has $d_part"
done
`;
  return hostCommand(place, "configure", script, [
    options.dir,
    options.envName,
    options.inherit ?? "",
    options.bytes,
  ]);
}

/** Whether `envs/<name>` is what comes on stdin, and `current` points to `dir`: exit code 0 or 1. */
export function sameEnvCommand(place: HostPlace, envName: string, dir: string): Command {
  const script = `
d_held
[ "$(readlink "$base/current")" = "$2" ] || exit 1
cmp -s - "$base/envs/$1"
`;
  return hostCommand(place, "same_env", script, [envName, dir]);
}

/**
 * Leaves the script from stdin for the guardian, who runs it when nobody commits, and keeps a little space back:
 * a disk that fills up from now on must keep neither the commit nor the way back from being recorded.
 */
export function leaveRecoveryCommand(place: HostPlace, bytes: number): Command {
  const script = `
d_held
umask 077
# Not zeros: a file system that compresses would keep nothing for them.
head -c "$2" /dev/urandom > "$stage/reserve"
d_replace "$base/recover.sh" "$1"
`;
  return hostCommand(place, "leave_recovery", script, [bytes, DEPLOY_RESERVE_BYTES]);
}

/** Records the switch (stdin: `state.json` with `pending`), then points `current` and `env` to the release. */
export function switchCommand(
  place: HostPlace,
  options: { dir: string; envName: string; bytes: number },
): Command {
  const script = `
d_held
d_receive "$stage/new" "$3"
d_sync_file "$stage/new"
d_switch() { mv -f "$stage/new" "$base/state.json" && d_link "$1" && d_env "$2"; }
d_while_held d_switch "$1" "$2"
`;
  return hostCommand(place, "switch", script, [options.dir, options.envName, options.bytes]);
}

/** Gives the directories of the service to `owner`. The release before has been stopped: until its end they were its user's. */
export function giveDirsCommand(place: HostPlace, owner: string): Command {
  return hostCommand(place, "give_dirs", `d_held\n${GIVE_DIRS}`, [owner]);
}

/** $1 owner or empty. The two directories alone, never what is in them: that is the service's user's own from then on. */
const GIVE_DIRS = `
if [ -n "$1" ] && [ "$(id -u)" = 0 ]; then chown -h "$1" "$base/shared" "$base/log"; fi
`;

/** Points `current` and `env` back, to nothing where there was nothing, and gives the directories of the service back. */
export function switchBackCommand(
  place: HostPlace,
  to: { dir: string; envName: string; owner: string } | null,
): Command {
  const script = `
d_held
${SWITCH_BACK}
`;
  return hostCommand(place, "switch_back", script, [
    to?.dir ?? "",
    to?.envName ?? "",
    to?.owner ?? "",
  ]);
}

/** $1 directory or empty  $2 file in envs/ or empty  $3 owner or empty. */
export const SWITCH_BACK = `
if [ -n "$1" ]; then d_link "$1"; d_env "$2"; else rm -f "$base/current" "$base/env"; fi
shift 2
${GIVE_DIRS}
`;

/** Makes room on a disk that may be full: what is in staging is of no use after a failure. */
export function clearStagingCommand(place: HostPlace): Command {
  return hostCommand(
    place,
    "clear_staging",
    `
d_held
rm -rf "$stage"
# With its parent: the acquire may have been killed before it came to that.
( umask 077; mkdir -p "$stage" )
`,
  );
}

/** Makes the state on stdin the state of the host; a switch that is under way stays one that is to be undone. */
export function recordCommand(place: HostPlace, bytes: number): Command {
  return hostCommand(place, "record", 'd_held\nd_replace "$base/state.json" "$1"\n', [bytes]);
}

/**
 * Makes the state on stdin the state of the host and removes the recovery script: with the rename a deployment is
 * committed, or undone for good.
 */
export function commitCommand(place: HostPlace, bytes: number): Command {
  const script = `
d_held
# In memory as well: what was kept back is given up only where the disk is full, and then it is written again.
d_text=$(cat)
d_write() { printf '%s\\n' "$d_text" | cat > "$stage/new" && [ "$(wc -c < "$stage/new")" -eq "$1" ]; }
if ! d_write "$1" 2>/dev/null; then
  rm -f "$stage/reserve"
  printf '%s\\n' "$d_text" | d_receive "$stage/new" "$1"
fi
d_sync
d_while_held mv -f "$stage/new" "$base/state.json"
rm -f "$stage/reserve" "$base/recover.sh"
d_sync
`;
  return hostCommand(place, "commit", script, [bytes]);
}

/** What {@linkcode pruneCommand} removes and keeps. */
export interface PruneLists {
  /** Directories of releases to remove. */
  dirs: readonly string[];
  /** Digests to remove from the cache. */
  digests: readonly string[];
  /** Files in `envs/` to keep; all others go. */
  keepEnvs: readonly string[];
  /** Directories in `run/` to keep; all others go. */
  keepRuns: readonly string[];
  /** Length of what comes on stdin. */
  bytes: number;
}

/** Removes releases; stdin: `state.json` without them, written first so that no record points to nothing. */
export function pruneCommand(place: HostPlace, lists: PruneLists): Command {
  const script = `
d_held
d_replace "$base/state.json" "$5"
d_lines() { [ -z "$1" ] || printf '%s\\n' "$1"; }
d_lines "$1" | while IFS= read -r d_item; do
  # First out of the way in one rename, so that nobody sees half a release.
  rm -rf "$stage/gone"
  mv "$d_item" "$stage/gone" 2>/dev/null || :
  rm -rf "$stage/gone"
done
d_lines "$2" | while IFS= read -r d_item; do rm -f "$root/.harness/cache/$d_item"; done
d_sweep_dir() { # directory, what to keep
  for d_item in "$1"/*; do
    [ -e "$d_item" ] || continue
    d_lines "$2" | grep -q -x -F -e "\${d_item##*/}" || rm -rf "$d_item"
  done
}
d_sweep_dir "$base/envs" "$3"
d_sweep_dir "$base/run" "$4"
`;
  return hostCommand(place, "prune", script, [
    lists.dirs.join("\n"),
    lists.digests.join("\n"),
    lists.keepEnvs.join("\n"),
    lists.keepRuns.join("\n"),
    lists.bytes,
  ]);
}
