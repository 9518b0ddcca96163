/**
 * Commands of the steps that change a host. Pure: data for an executor.
 *
 * Each begins by checking that the lock is still held, and ends in a rename: whenever it is killed, the host has the
 * old state or the new one.
 *
 * @module
 */
import type { Command } from "../../../executor/executor.ts";
import {
  MAX_ENTRY_PATH_BYTES,
  MAX_PACKAGE_ENTRIES,
  MAX_TAR_EXTENSION_BYTES,
  MAX_UNPACK_RATIO,
  MAX_UNPACKED_BYTES,
  UNPACK_RATIO_FLOOR_BYTES,
} from "../../../model/limits.ts";
import { DEPLOY_RESERVE_BYTES } from "../../limits.ts";
import { include } from "../../../executor/shell/include.ts";
import { hostCommand, type HostPlace } from "../command.ts";
import type { ReleaseLayout } from "../layout.ts";
import archiveCheck from "./archive/check.sh" with { type: "text" };
import archiveWalk from "./archive/walk.awk" with { type: "text" };
import clearStaging from "./clear_staging.sh" with { type: "text" };
import commit from "./commit.sh" with { type: "text" };
import configure from "./configure.sh" with { type: "text" };
import extract from "./extract.sh" with { type: "text" };
import giveDirs from "./give_dirs.sh" with { type: "text" };
import hashing from "./hashing.sh" with { type: "text" };
import prune from "./prune.sh" with { type: "text" };
import record from "./record.sh" with { type: "text" };
import sameEnv from "./same_env.sh" with { type: "text" };
import switchRelease from "./switch.sh" with { type: "text" };
import sweep from "./sweep.sh" with { type: "text" };
import switchBack from "./switch_back.sh" with { type: "text" };
import upload from "./upload.sh" with { type: "text" };
import verify from "./verify.sh" with { type: "text" };

/** Checks the lock, before scripts that also run without it. */
const HELD = "d_held\n";

/** Points `current` and `env` back and restores the owner of the directories; also a part of `recover.sh`. */
export const SWITCH_BACK: string = include(switchBack, { give_dirs: giveDirs });

/**
 * For an archive that nobody has inspected. It must not depend on the host's tar, which differ in just the cases that
 * matter: names with a NUL, numbers with a sign, bytes behind the end. So awk reads the headers, with the rules of
 * src/package/, and tar's own listing must agree. One that was inspected by these rules has been recognised by its
 * digest before this.
 */
const CHECK = include(archiveCheck, { archive_walk: archiveWalk });

const COMMIT = include(commit, { sweep });
const PRUNE = include(prune, { sweep });

/** Size of a package, and whether the bytes that are sent are those of one that was inspected. */
export interface SentPackage {
  size: number;
  inspected: boolean;
}

/** Writes the package from stdin to staging; unpacks one that was inspected while it arrives. */
export function uploadCommand(place: HostPlace, { size, inspected }: SentPackage): Command {
  return hostCommand(place, "upload", hashing + upload, [size, inspected ? "unpack" : "keep"]);
}

/**
 * Checks the digest of the upload, and name and type of every entry unless it was inspected, then moves it to the cache.
 * With `cached`, checks the file in the cache.
 */
export function verifyCommand(
  place: HostPlace,
  options: SentPackage & { sha256: string; cached: boolean },
): Command {
  const most = Math.max(UNPACK_RATIO_FLOOR_BYTES, options.size * MAX_UNPACK_RATIO);
  const script = include(verify, { archive_check: options.inspected ? "" : CHECK });
  return hostCommand(place, "verify", hashing + script, [
    options.sha256,
    options.cached ? "cached" : "uploaded",
    options.size,
    Math.min(MAX_UNPACKED_BYTES, most),
    UNPACK_RATIO_FLOOR_BYTES,
    MAX_PACKAGE_ENTRIES,
    MAX_ENTRY_PATH_BYTES,
    MAX_TAR_EXTENSION_BYTES,
  ]);
}

/**
 * Extracts the cached package beside its final place, unless that was done while it arrived, checks every file, and moves
 * it there in one rename.
 * stdin: `state.json` with the release as being installed.
 */
export function extractCommand(
  place: HostPlace,
  release: ReleaseLayout,
  options: { sha256: string; size: number; bytes: number },
): Command {
  const { sha256, size, bytes } = options;
  return hostCommand(place, "extract", hashing + extract, [release.dir, sha256, bytes, size]);
}

/**
 * Writes the environment from stdin to `envs/<name>` (0600), after the content of `inherit`; makes the directories, and
 * prints what {@linkcode readConfigured} reads.
 */
export function configureCommand(
  place: HostPlace,
  options: {
    dir: string;
    envName: string;
    inherit: string | null;
    previous: string | null;
    bytes: number;
  },
): Command {
  return hostCommand(place, "configure", configure, [
    options.dir,
    options.envName,
    options.inherit ?? "",
    options.bytes,
    options.previous ?? "",
  ]);
}

/** What the command prints: the text of the env files, and the paths of the release that are there. */
export function readConfigured(stdout: string): { env: string; files: ReadonlySet<string> } {
  const at = stdout.lastIndexOf("\n@files\n");
  const files = stdout.slice(at).split("\n").flatMap((line) => /^@has (.*)/.exec(line)?.[1] ?? []);
  return { env: stdout.slice(0, Math.max(0, at)), files: new Set(files) };
}

/** Whether `envs/<name>` equals stdin and `current` points to `dir`: exit code 0 or 1. */
export function sameEnvCommand(place: HostPlace, envName: string, dir: string): Command {
  return hostCommand(place, "same_env", sameEnv, [envName, dir]);
}

/**
 * Writes the recovery script, which the watchdog runs if there is no commit, records the switch, and points `current` and
 * `env` to the release. stdin: the script, then `state.json` with `pending`. A little space is reserved: a disk that fills
 * up later must prevent neither the commit nor the rollback from being recorded.
 */
export function switchCommand(
  place: HostPlace,
  options: { dir: string; envName: string; scriptBytes: number; stateBytes: number },
): Command {
  return hostCommand(place, "switch", switchRelease, [
    options.dir,
    options.envName,
    options.scriptBytes,
    options.stateBytes,
    DEPLOY_RESERVE_BYTES,
  ]);
}

/** Whether the switch may have begun, by what its command printed. */
export function hasBegunToSwitch(stdout: string): boolean {
  return /^@switching$/m.test(stdout);
}

/** Changes the owner of the directories of the service, once the previous release is stopped. */
export function giveDirsCommand(place: HostPlace, owner: string): Command {
  return hostCommand(place, "give_dirs", HELD + giveDirs, [owner]);
}

/** Points `current` and `env` back, or removes them, and restores the owner of the directories. */
export function switchBackCommand(
  place: HostPlace,
  to: { dir: string; envName: string; owner: string } | null,
): Command {
  return hostCommand(place, "switch_back", HELD + SWITCH_BACK, [
    to?.dir ?? "",
    to?.envName ?? "",
    to?.owner ?? "",
  ]);
}

/** Empties staging after a failure: the disk may be full. */
export function clearStagingCommand(place: HostPlace): Command {
  return hostCommand(place, "clear_staging", clearStaging);
}

/** Replaces the state of the host by stdin; a pending switch still has to be undone. */
export function recordCommand(place: HostPlace, bytes: number): Command {
  return hostCommand(place, "record", record, [bytes]);
}

/** What of the bookkeeping of a service is kept; the rest goes. */
export interface SweepLists {
  /** Files in `envs/` to keep. */
  keepEnvs: readonly string[];
  /** Directories in `run/` to keep. */
  keepRuns: readonly string[];
}

/**
 * Replaces the state of the host by stdin and removes the recovery script: the rename commits a deployment, or its
 * rollback. After it, and best effort, removes what {@linkcode hasSwept} reports.
 */
export function commitCommand(place: HostPlace, bytes: number, sweep?: SweepLists): Command {
  const lists = sweep && ["sweep", sweep.keepEnvs.join("\n"), sweep.keepRuns.join("\n")];
  return hostCommand(place, "commit", COMMIT, [bytes, ...lists ?? []]);
}

/** Whether the command that committed also removed what is not kept, by what it printed. */
export function hasSwept(stdout: string): boolean {
  return /^@swept$/m.test(stdout);
}

/** Input of {@linkcode pruneCommand}. */
export interface PruneLists extends SweepLists {
  /** Directories of releases to remove. */
  dirs: readonly string[];
  /** Digests to remove from the cache. */
  digests: readonly string[];
  /** Length of stdin in bytes. */
  bytes: number;
}

/** Removes releases. stdin: `state.json` without them, written first so that no record points to nothing. */
export function pruneCommand(place: HostPlace, lists: PruneLists): Command {
  return hostCommand(place, "prune", PRUNE, [
    lists.dirs.join("\n"),
    lists.digests.join("\n"),
    lists.keepEnvs.join("\n"),
    lists.keepRuns.join("\n"),
    lists.bytes,
  ]);
}
