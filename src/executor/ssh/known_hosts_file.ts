/**
 * The known_hosts files on disk: read all of them, add to the first.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import * as fs from "node:fs/promises";
import { dirname } from "node:path";
import { HarnessError, messageOf } from "../../errors.ts";
import {
  KNOWN_HOSTS_LOCK_STALE_MS,
  KNOWN_HOSTS_LOCK_WAIT_MS,
  SSH_MAX_FILE_BYTES,
} from "../limits.ts";
import {
  checkHostKey,
  type HostKeyVerdict,
  keyTypeOf,
  type KnownHosts,
  parseKnownHosts,
} from "./known_hosts.ts";
import { sleep } from "../../util/async.ts";
import { hasErrorCode, makeDirectory } from "../../util/node/files.ts";

/** The text of a small file, or `null` when there is none. */
export async function readIfPresent(path: string): Promise<string | null> {
  try {
    const { size } = await fs.stat(path);
    if (size > SSH_MAX_FILE_BYTES) {
      throw new HarnessError(
        "too_large",
        `Cannot read ${path}: ${size} bytes, at most ${SSH_MAX_FILE_BYTES} are read`,
      );
    }
    return await fs.readFile(path, "utf8");
  } catch (error) {
    if (hasErrorCode(error, "ENOENT")) return null;
    if (error instanceof HarnessError) throw error;
    throw new HarnessError("unavailable", `Cannot read ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** The entries of all files; missing files are ignored. */
export async function readKnownHosts(files: readonly string[]): Promise<KnownHosts> {
  const all: KnownHosts = { entries: [], unreadable: [] };
  for (const file of files) {
    const text = await readIfPresent(file);
    if (text === null) continue;
    const { entries, unreadable } = parseKnownHosts(text, file);
    all.entries.push(...entries);
    all.unreadable.push(...unreadable);
  }
  return all;
}

async function lock(path: string): Promise<() => Promise<void>> {
  const deadline = performance.now() + KNOWN_HOSTS_LOCK_WAIT_MS;
  while (true) {
    try {
      await (await fs.open(path, "wx", 0o600)).close();
      return () => fs.rm(path, { force: true });
    } catch (error) {
      const taken = hasErrorCode(error, "EEXIST");
      if (!taken || performance.now() > deadline) throw error;
      const age = await fs.stat(path).then((stat) => Date.now() - stat.mtimeMs, () => 0);
      // Stale: a lock is held for one small write only.
      if (age > KNOWN_HOSTS_LOCK_STALE_MS) await fs.rm(path, { force: true });
      await sleep(10 + Math.random() * 40);
    }
  }
}

async function append(path: string, line: string): Promise<void> {
  const file = await fs.open(path, "a+", 0o600);
  try {
    const { size } = await file.stat();
    const last = Buffer.alloc(1);
    if (size > 0) await file.read(last, 0, 1, size - 1);
    // Without a newline at its end, the last line and ours would be one.
    const separator = size > 0 && last[0] !== 0x0a ? "\n" : "";
    await file.write(`${separator}${line}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * Adds a host's key to the first of `files`, unless another process has done so meanwhile.
 *
 * @returns The verdict now: `known`, or `changed` when another process recorded another key.
 * @throws {HarnessError} `unavailable` when the file cannot be written.
 */
export async function addKnownHost(
  files: readonly string[],
  name: string,
  key: Uint8Array,
): Promise<HostKeyVerdict> {
  const path = files[0];
  if (path === undefined) {
    throw new HarnessError("unavailable", `Cannot record the key of ${name}: no known_hosts file`);
  }
  try {
    await makeDirectory(dirname(path), 0o700);
    const unlock = await lock(`${path}.harness-lock`);
    try {
      const now = checkHostKey((await readKnownHosts(files)).entries, name, key);
      if (now.status !== "unknown") return now;
      await append(path, `${name} ${keyTypeOf(key)} ${Buffer.from(key).toString("base64")}`);
      return checkHostKey((await readKnownHosts([path])).entries, name, key);
    } finally {
      await unlock();
    }
  } catch (error) {
    if (error instanceof HarnessError) throw error;
    throw new HarnessError(
      "unavailable",
      `Cannot record the key of ${name} in ${path}: ${messageOf(error)}`,
      { cause: error },
    );
  }
}
