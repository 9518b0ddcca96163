/**
 * Files through which client commands of the same user find the token that a server made, one per address.
 *
 * A file that a killed server left behind is not used, so its token is not sent to another program that listens at the
 * address by then: while a server on Deno runs it holds a lock on the file; one on Node or Bun writes when it started.
 *
 * @module
 */
import { lstat, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SERVER_NAME } from "../../version.ts";
import { CLI_MAX_SECRET_BYTES } from "../limits.ts";
import { exposure, openPrivateFile, textOf } from "./private_file.ts";
import { defaultStateDir } from "./state_dir.ts";
import { isLoopback } from "../../server/access/addresses.ts";
import {
  canLockFiles,
  type FileLock,
  isLockedBy,
  tryLockFile,
  tryShareFile,
} from "../../util/node/file_lock.ts";
import { hasErrorCode } from "../../util/node/files.ts";
import { isRunning, ownIdentity, UNKNOWN_START } from "../../util/node/process_identity.ts";
import { ownUid } from "../../util/node/runtime.ts";

/** What is written for an address. */
export interface AddressRecord {
  /** Where the server listens. */
  readonly hostname: string;
  /** Its port. */
  readonly port: number;
  /** The token that it made. */
  readonly token: string;
  /** Its process. */
  readonly pid: number;
  /** The start of its process, where it cannot lock the file. */
  readonly started?: string;
}

/** Reads an environment variable. */
type Env = (name: string) => string | undefined;

/** Directory in a state directory, for where there is no runtime directory. */
const IN_STATE_DIR = "clients";

/** Files that are kept for as long as the server runs. */
export interface AddressFiles extends AsyncDisposable {
  /** Where they are. */
  readonly paths: readonly string[];
}

/** Writes a server's file to each directory that client commands search; one that cannot be used is skipped. */
export async function writeAddressFiles(
  record: AddressRecord,
  env: Env,
  stateDir: string,
): Promise<AddressFiles> {
  const uid = ownUid();
  const held: WrittenFile[] = [];
  const write = async (dir: string): Promise<boolean> => {
    const path = join(dir, fileName(record.hostname, record.port));
    const file = await writeLive(dir, path, record, uid).catch(() => null);
    if (file !== null) held.push(file);
    return file !== null;
  };
  const home = homeDir(env, uid);
  const own = join(stateDir, IN_STATE_DIR);
  const ownWritten = write(own);
  const written = await Promise.all(runtimeDirs(env, uid).map(write));
  // Users of services, containers and `su` have no runtime directory, and commands do not know --state-dir.
  if (!written.includes(true) && home !== null && home !== own) {
    await mkdir(dirname(home), { recursive: true, mode: 0o700 }).catch(() => {});
    await write(home);
  }
  await ownWritten;
  // Nobody waits for it: what killed servers left is not used anyway.
  for (const { path } of held) void sweep(dirname(path), uid).catch(() => {});
  return {
    paths: held.map(({ path }) => path),
    async [Symbol.asyncDispose]() {
      for (const { path, ino, lock } of held) {
        const there = await lstat(path).catch(() => null);
        // Another server may have the address by now.
        if (there?.ino === ino) await rm(path, { force: true }).catch(() => {});
        lock?.release();
      }
    },
  };
}

/** A live server's token, and where to send it. */
export interface FoundServer {
  /** The token that the server made. */
  readonly token: string;
  /** The host to connect to: a literal address where a name could lead to another server. */
  readonly hostname: string;
  /** The file with the token. */
  readonly path: string;
}

/** The live server of this user that is reached at an address, or `null`. */
export async function findAddressFile(
  hostname: string,
  port: number,
  env: Env,
): Promise<FoundServer | null> {
  const uid = ownUid();
  const given = env("HARNESS_STATE_DIR");
  const inState = given === undefined ? null : join(given, IN_STATE_DIR);
  for (const dir of [...runtimeDirs(env, uid), inState, homeDir(env, uid)]) {
    if (dir === null) continue;
    for (const [listening, connectTo] of listeningHosts(hostname)) {
      const path = join(dir, fileName(listening, port));
      const token = await readLive(dir, path, uid).catch(() => null);
      if (token !== null) return { token, hostname: connectTo, path };
    }
  }
  return null;
}

/** The directory in this user's default state directory, also for a server of systemd's; `null` where they have no home. */
function homeDir(env: Env, uid: number | null): string | null {
  const own: Env = (name) => name === "STATE_DIRECTORY" ? undefined : env(name);
  try {
    return join(defaultStateDir(null, own, uid), IN_STATE_DIR);
  } catch {
    return null;
  }
}

/** Directories of this user that do not outlive the machine's run. */
function runtimeDirs(env: Env, uid: number | null): string[] {
  const xdg = env("XDG_RUNTIME_DIR");
  const own = uid === 0 ? "/run" : `/run/user/${uid}`;
  const bases = [
    ...(xdg !== undefined && xdg.startsWith("/") ? [xdg] : []),
    ...(uid === null || xdg === own ? [] : [own]),
  ];
  return bases.map((base) => join(base, SERVER_NAME));
}

/** Where a server may listen that is reached at `hostname`, each with the address to connect to. */
function listeningHosts(hostname: string): Array<readonly [listening: string, connectTo: string]> {
  const same = [hostname, hostname] as const;
  const ipv4 = [["0.0.0.0", hostname], ["::", hostname]] as const;
  if (hostname === "localhost") {
    const ours = [["127.0.0.1", "127.0.0.1"], ["::1", "::1"]] as const;
    return [...ours, ["0.0.0.0", "127.0.0.1"], ["::", "::1"], same];
  }
  if (hostname === "::1") return [same, ["::", hostname]];
  return isLoopback(hostname) ? [same, ...ipv4] : [same];
}

function fileName(hostname: string, port: number): string {
  return `${hostname.replace(/[^A-Za-z0-9.]/g, "-")}_${port}.json`;
}

/** A file that this process wrote. */
interface WrittenFile {
  readonly path: string;
  readonly ino: number;
  readonly lock: FileLock | null;
}

async function writeLive(
  dir: string,
  path: string,
  record: AddressRecord,
  uid: number | null,
): Promise<WrittenFile | null> {
  await mkdir(dir, { mode: 0o700 }).catch((error) => {
    if (!hasErrorCode(error, "EEXIST")) throw error;
  });
  if (exposure(await lstat(dir), uid) !== null) return null;
  const part = `${path}.${crypto.randomUUID()}.part`;
  const content = canLockFiles() ? record : { ...record, started: (await ownIdentity()).started };
  let lock: FileLock | null = null;
  try {
    // Not synced: after a crash of the machine no server holds its lock, and the next one writes it again.
    await writeFile(part, `${JSON.stringify(content)}\n`, { flag: "wx", mode: 0o600 });
    // Locked before it has its name, so that it is never found unlocked.
    lock = canLockFiles() ? await tryLockFile(part) : null;
    const { ino } = await lstat(part);
    await rename(part, path);
    return { path, ino, lock };
  } catch (error) {
    lock?.release();
    await rm(part, { force: true }).catch(() => {});
    throw error;
  }
}

/** Removes the files of servers that were killed. */
async function sweep(dir: string, uid: number | null): Promise<void> {
  for (const name of await readdir(dir)) {
    if (!name.endsWith(".json")) continue;
    const path = join(dir, name);
    const record = await readRecord(path, uid).catch(() => null);
    if (record !== null && !await isLive(path, record)) await rm(path, { force: true });
  }
}

async function readLive(dir: string, path: string, uid: number | null): Promise<string | null> {
  if (exposure(await lstat(dir), uid) !== null) return null;
  const record = await readRecord(path, uid);
  if (!await isLive(path, record)) return null;
  return typeof record.token === "string" ? record.token : null;
}

async function readRecord(path: string, uid: number | null): Promise<Partial<AddressRecord>> {
  await using file = await openPrivateFile(path, uid);
  return JSON.parse(await textOf(file, CLI_MAX_SECRET_BYTES)) as Partial<AddressRecord>;
}

/** Whether the server that wrote a file runs. */
async function isLive(
  path: string,
  { pid = 0, started }: Partial<AddressRecord>,
): Promise<boolean> {
  if (started !== undefined) return await isRunning({ pid, started });
  if (!canLockFiles()) {
    return await isLockedBy(path, pid) ?? await isRunning({ pid, started: UNKNOWN_START });
  }
  // Shared: an exclusive lock would make the file seem live to a concurrent reader.
  const lock = await tryShareFile(path);
  lock?.release();
  return lock === null;
}
