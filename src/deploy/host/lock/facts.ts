/**
 * Parses the facts that a host reports with its lock. Pure.
 *
 * @module
 */
import { HarnessError } from "../../../errors.ts";

/** Facts of a host at one moment. */
export interface HostFacts {
  /** `uname -m`. */
  arch: string;
  /** User id that the commands run as. */
  uid: number;
  /** Name of that user, or the number of one that has none. */
  login: string;
  /** Identifies machine and install root, under whatever name, until a reboot. */
  place: string;
  /** Free space for the install root in bytes, or `null` if the output of df is unknown. */
  freeBytes: number | null;
  /** Whether releases and bookkeeping are on one file system, so that a rename is one step. */
  sameFileSystem: boolean;
  /** Whether an interrupted switch must be undone. */
  recoveryDue: boolean;
  /** What the link `current` points to, or `null`. */
  current: string | null;
  /** Whether the release's directory exists. */
  dirExists: boolean;
  /** Whether the directory for other bytes under the same version exists. */
  forcedDirExists: boolean;
  /** SHA-256 of the cached package, or `null`. */
  cached: string | null;
  /** Whether processes run as systemd units there. */
  systemd: boolean;
  /** Why systemd or Docker cannot be used for this service, or `null`. */
  engineProblem: string | null;
  /** Whether the service's user exists. */
  userExists: boolean;
  /** Whether the install root can be written. */
  writable: boolean;
  /** Commands that are not there. */
  missingCommands: string[];
  /** Libraries that are not there. */
  missingLibraries: string[];
  /** Text of `state.json`, or `null` when there is no such file. */
  stateText: string | null;
}

/** Parses the output of facts.sh. */
export function parseFacts(stdout: string, host: string): HostFacts {
  const begin = stdout.indexOf("@facts\n");
  const state = stdout.indexOf("@state\n", begin);
  if (begin < 0 || state < 0) {
    throw new HarnessError(
      "deploy_failed",
      `Cannot read the facts of ${host}: its shell printed something else`,
      { details: { host, output: stdout.slice(0, 500) } },
    );
  }
  const values = new Map<string, string[]>();
  for (const line of stdout.slice(begin, state).split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) {
      const key = line.slice(0, at);
      values.set(key, [...values.get(key) ?? [], line.slice(at + 1)]);
    }
  }
  const one = (key: string): string => values.get(key)?.[0] ?? "";
  return {
    arch: one("arch"),
    uid: Number(one("uid")),
    login: one("login"),
    place: one("place"),
    freeBytes: one("free_kb") === "" ? null : Number(one("free_kb")) * 1024,
    sameFileSystem: one("same_fs") === "yes",
    recoveryDue: one("recover") === "yes",
    current: one("current") || null,
    dirExists: one("dir") === "yes",
    forcedDirExists: one("forced_dir") === "yes",
    cached: one("cached") || null,
    systemd: one("systemd") === "yes",
    engineProblem: one("engine") || null,
    userExists: one("user") === "yes",
    writable: one("writable") === "yes",
    missingCommands: values.get("missing_command") ?? [],
    missingLibraries: values.get("missing_library") ?? [],
    stateText: one("state") === "no" ? null : stdout.slice(state + "@state\n".length),
  };
}
