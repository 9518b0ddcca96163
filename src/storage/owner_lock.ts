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
import { HarnessError } from "../errors.ts";
import { sleep } from "../util/async.ts";
import { hasErrorCode } from "../util/node/files.ts";

/** Name of the lock file in the state dir. It stays there when nobody holds it. */
const LOCK_NAME = "registry.lock";

/** A lock that is held. */
export interface OwnerLock {
  /** Releases the lock. Idempotent. */
  release(): Promise<void>;
}

/** How often and how long to wait for the pid of a holder that has just taken the lock. */
const PID_WAIT = { times: 20, ms: 10 };

/** Attempts at a lock whose holder wrote no pid; each waits as long as {@linkcode PID_WAIT}. */
const MAX_LOCK_ATTEMPTS = 3;

/** A start time that cannot be read. */
const UNKNOWN = "-";
/** Follows the pid where the kernel's lock counts. */
const FLOCK_MARK = ` ${UNKNOWN} flock\n`;
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
  return options.flock ?? "Deno" in globalThis
    ? await lockFile(dir, path)
    : await pidFile(dir, path);
}

async function lockFile(dir: string, path: string): Promise<OwnerLock> {
  const file = await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
  let held = false;
  try {
    for (let attempt = 1; !await file.tryLock(true); attempt++) {
      const pid = await readPid(path);
      // Held without a pid: a child that the previous owner was just starting keeps its open files for some
      // milliseconds.
      if (pid !== null || attempt >= MAX_LOCK_ATTEMPTS) throw inUse(dir, pid);
    }
    const holder = await fs.readFile(path, "utf8");
    // Free for the kernel, but a process on Node or Bun may be behind it. Not asked of our own kind: with
    // narrow permissions the question itself is not allowed.
    if (holder !== "" && !holder.endsWith(FLOCK_MARK) && await isAlive(holder)) {
      throw inUse(dir, parseInt(holder));
    }
    await file.truncate(0);
    await file.write(new TextEncoder().encode(`${process.pid}${FLOCK_MARK}`));
    held = true;
  } finally {
    if (!held) file.close();
  }
  return {
    async release(): Promise<void> {
      if (!held) return;
      held = false;
      // Unlocked by hand, because closing alone does not while a child that is just being started shares our
      // open files. The file stays: removing it would let two others lock two files.
      await file.truncate(0).finally(() => file.unlock()).finally(() => file.close());
    },
  };
}

async function pidFile(dir: string, path: string): Promise<OwnerLock> {
  const temp = `${path}.${process.pid}.${crypto.randomUUID().slice(0, 8)}`;
  const own = `${process.pid} ${await startTime(process.pid)}\n`;
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
  return {
    async release(): Promise<void> {
      if (held) await fs.rm(path, { force: true });
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

async function isAlive(holder: string): Promise<boolean> {
  const [pid, start] = holder.trim().split(" ");
  if (pid === undefined || start === undefined) return false;
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if (!hasErrorCode(error, "EPERM")) return false;
  }
  const now = await startTime(Number(pid));
  return now === start || now === UNKNOWN || start === UNKNOWN;
}

/** Start time of a process in the kernel's ticks, so that a reused pid is no owner; {@linkcode UNKNOWN} where it cannot be read. */
async function startTime(pid: number): Promise<string> {
  const stat = await fs.readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? UNKNOWN;
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
