/**
 * One owner per state dir: a lock that ends with its process.
 *
 * On Deno it is an `flock` of the lock file, which the kernel gives up when the process ends in whatever
 * way. Node and Bun have no `flock`; there the lock file itself, holding pid and start time of its owner,
 * is the lock, and one whose owner is gone is taken over.
 *
 * @module
 */
import * as fs from "node:fs/promises";
import process from "node:process";
import { HarnessError } from "../../errors.ts";
import { sleep } from "../../util/async.ts";
import { canLockFiles, type FileLock, tryLockFile } from "../../util/node/file_lock.ts";
import { fileIdentity, hasErrorCode } from "../../util/node/files.ts";
import { isRunning, ownIdentity, UNKNOWN_START } from "../../util/node/process_identity.ts";

/** Name of the lock file in the state dir. It stays there when nobody holds it. */
const LOCK_NAME = "registry.lock";

/** A lock that is held. */
export interface OwnerLock {
  /** Whether the lock file is still the one that was locked: else another process can lock a new one. */
  isInPlace(): Promise<boolean>;
  /** Releases the lock. Idempotent. */
  release(): Promise<void>;
}

/** How often and how long to wait for the pid of a holder that has just taken the lock. */
const PID_WAIT = { times: 20, ms: 10 };

/** Attempts at a lock whose holder wrote no pid; each waits as long as {@linkcode PID_WAIT}. */
const MAX_LOCK_ATTEMPTS = 3;

/** Follows the pid where the kernel's lock counts. */
const FLOCK_MARK = ` ${UNKNOWN_START} flock\n`;
/** Taking over the file of an owner that is gone. */
const TAKEOVER = { times: 100, pauseMs: 10, staleMs: 5_000, emptyMs: 500 };

/** Options for {@linkcode acquireOwnerLock}. */
export interface OwnerLockOptions {
  /** Whether the kernel's file locks are used. @default {on Deno} */
  flock?: boolean;
}

/**
 * Takes the lock of a state dir, at once or not at all.
 *
 * @throws {HarnessError} `conflict` with `details.pid` when another process, or another store of this one,
 * holds it.
 */
export async function acquireOwnerLock(
  dir: string,
  options: OwnerLockOptions = {},
): Promise<OwnerLock> {
  const path = `${dir}/${LOCK_NAME}`;
  return options.flock ?? canLockFiles() ? await lockFile(dir, path) : await pidFile(dir, path);
}

async function lockFile(dir: string, path: string): Promise<OwnerLock> {
  const lock = await lockWithin(dir, path);
  try {
    const holder = await fs.readFile(path, "utf8");
    // Free for the kernel, but a process on Node or Bun may be behind it.
    if (holder !== "" && !holder.endsWith(FLOCK_MARK) && await isAlive(holder)) {
      throw inUse(dir, parseInt(holder));
    }
    await fs.writeFile(path, `${process.pid}${FLOCK_MARK}`);
  } catch (error) {
    lock.release();
    throw error;
  }
  let held = true;
  const own = fileIdentity(path);
  const isInPlace = () =>
    new Promise<boolean>((resolve) => resolve(own !== null && fileIdentity(path) === own));
  return {
    isInPlace,
    async release(): Promise<void> {
      if (!held) return;
      held = false;
      try {
        // The file stays: removing it would let two others lock two files. One that is not ours is not touched.
        if (await isInPlace()) await fs.truncate(path);
      } finally {
        lock.release();
      }
    },
  };
}

async function lockWithin(dir: string, path: string): Promise<FileLock> {
  for (let attempt = 1;; attempt++) {
    const lock = await tryLockFile(path);
    if (lock !== null) return lock;
    const pid = await readPid(path);
    // Held without a pid: a child that the previous owner was just starting keeps its open files for some
    // milliseconds.
    if (pid !== null || attempt >= MAX_LOCK_ATTEMPTS) throw inUse(dir, pid);
  }
}

async function pidFile(dir: string, path: string): Promise<OwnerLock> {
  const temp = `${path}.${process.pid}.${crypto.randomUUID().slice(0, 8)}`;
  const { pid, started } = await ownIdentity();
  const own = `${pid} ${started}\n`;
  await fs.writeFile(temp, own, { mode: 0o600 });
  try {
    // link() fails when the name exists: of several, one wins, and the file is never half written.
    for (let attempt = 0; !await tryLink(temp, path); attempt++) {
      const holder = await fs.readFile(path, "utf8").catch(() => "");
      if (attempt >= TAKEOVER.times || (holder !== "" && await isAlive(holder))) {
        throw inUse(dir, parseInt(holder) || null);
      }
      await removeStale(path, temp);
      if (attempt > 0) await sleep(TAKEOVER.pauseMs);
    }
  } finally {
    await fs.rm(temp, { force: true });
  }
  let held = true;
  const isInPlace = async () => await fs.readFile(path, "utf8").catch(() => "") === own;
  return {
    isInPlace,
    async release(): Promise<void> {
      if (held && await isInPlace()) await fs.rm(path, { force: true });
      held = false;
    },
  };
}

/**
 * Removes a lock file whose owner is gone. One process at a time does so, and judges anew when it is its
 * turn: otherwise the file of a faster one would be removed.
 */
async function removeStale(path: string, temp: string): Promise<void> {
  const turn = `${path}.takeover`;
  if (!await tryLink(temp, turn)) {
    // Held for some milliseconds, unless its holder died in just these.
    if (await age(turn) > TAKEOVER.staleMs) await fs.rm(turn, { force: true });
    return;
  }
  try {
    const holder = await fs.readFile(path, "utf8").catch(() => "");
    // An empty one is nobody's, or that of a process on Deno which is just about to write its pid.
    const fresh = holder === "" && await age(path) < TAKEOVER.emptyMs;
    if (!fresh && !await isAlive(holder)) await fs.rm(path, { force: true });
  } finally {
    await fs.rm(turn, { force: true });
  }
}

/** Milliseconds since a file was written; 0 when it is gone. */
async function age(path: string): Promise<number> {
  return await fs.stat(path).then(({ mtimeMs }) => Date.now() - mtimeMs, () => 0);
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await fs.link(from, to);
    return true;
  } catch (error) {
    if (hasErrorCode(error, "EEXIST")) return false;
    throw error;
  }
}

function isAlive(holder: string): Promise<boolean> {
  const [pid, started] = holder.trim().split(" ");
  if (pid === undefined || started === undefined) return Promise.resolve(false);
  return isRunning({ pid: Number(pid), started });
}

async function readPid(path: string): Promise<number | null> {
  for (let i = 0; i < PID_WAIT.times; i++) {
    const pid = parseInt(await fs.readFile(path, "utf8").catch(() => ""));
    if (pid > 0) return pid;
    await sleep(PID_WAIT.ms);
  }
  return null;
}

function inUse(dir: string, pid: number | null): HarnessError {
  const who = pid === null ? "another process" : `process ${pid}`;
  return new HarnessError(
    "conflict",
    `Cannot open ${dir}: ${who} uses it; stop that one, or choose another --state-dir`,
    { details: { dir, ...(pid === null ? {} : { pid }) } },
  );
}
