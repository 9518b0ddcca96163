/**
 * A real OpenSSH sshd as the current user, on a free loopback port, with keys made for it alone.
 *
 * Used by the tests and by the demo: it needs `sshd` and `ssh-keygen` and nothing else. As root it
 * makes `/run/sshd`, without which sshd does not start. Everything else lives in one temporary
 * directory that {@linkcode Sshd.stop} removes.
 */
import { existsSync } from "node:fs";
import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { freePort } from "./free_port.ts";
import { removeTree } from "./remove_tree.ts";

/** A key type of `ssh-keygen -t`. */
export type KeyType = "ed25519" | "rsa" | "ecdsa";

/** Options for {@linkcode startSshd}. */
export interface SshdOptions {
  /** Host keys to have. @default {["ed25519"]} */
  hostKeyTypes?: readonly KeyType[];
  /** Lines put before all others in sshd_config: sshd takes the first value it finds. */
  config?: readonly string[];
  /** Another sshd whose user key is accepted here too (and whose key is used); its files stay its own. */
  sameUserKeyAs?: Sshd;
  /** Port to listen on; 0 takes a free one. @default {0} */
  port?: number;
  /** How long to wait until it listens. @default {60000} */
  startTimeoutMs?: number;
}

/** A running sshd. */
export interface Sshd extends AsyncDisposable {
  /** Always `127.0.0.1`. */
  readonly host: string;
  /** The port it listens on. */
  readonly port: number;
  /** The user to log in as: the one we are. */
  readonly user: string;
  /** Private key (ed25519, no passphrase) that is let in. */
  readonly identityFile: string;
  /** A known_hosts file with this server's host keys. */
  readonly knownHostsFile: string;
  /** File of public keys that are let in: append to it to let others in. */
  readonly authorizedKeysFile: string;
  /** Its temporary directory: a place for a test's own files. */
  readonly dir: string;
  /** The host's public keys, `type base64`, in the order of `hostKeyTypes`. */
  readonly hostKeys: readonly string[];
  /** Process id of the listener. */
  readonly pid: number;
  /** What it has logged so far. */
  log(): string;
  /** Cuts every connection at once, as a broken network would. Commands that ran go on. */
  killConnections(): Promise<void>;
  /** Makes every connection silent, as a network that swallows packets would; `stop()` ends them. */
  holdConnections(): Promise<void>;
  /** Stops listening with SIGKILL; connections stay. `start()` listens on the same port again. */
  stopListening(): Promise<void>;
  /** Starts to listen again after `stopListening()`, on the same port and with the same keys. */
  start(): Promise<void>;
  /** Ends the server, its connections and what still runs below them, and removes its directory. */
  stop(): Promise<void>;
}

/** Where this machine's sshd is, or `null`. */
export function findSshd(): string | null {
  const dirs = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/usr/local/sbin", "/sbin"];
  const found = dirs.map((dir) => join(dir, "sshd")).find((path) => existsSync(path));
  return found ?? null;
}

/** Runs a program to its end and answers its stdout; throws with its stderr when it fails. */
export function runProgram(
  program: string,
  args: readonly string[],
  { cwd }: { cwd?: string } = {},
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = spawn(program, [...args], {
    stdio: ["ignore", "pipe", "pipe"],
    ...(cwd === undefined ? {} : { cwd }),
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Uint8Array) => stdout += String(chunk));
  child.stderr.on("data", (chunk: Uint8Array) => stderr += String(chunk));
  child.once("error", reject);
  child.once("close", (code) => {
    if (code === 0) resolve(stdout);
    else reject(new Error(`Cannot run ${program} ${args.join(" ")}: exit code ${code}: ${stderr}`));
  });
  return promise;
}

/** Makes a key pair at `path` and answers the public key as `type base64`. */
export async function makeKey(
  path: string,
  options: { type?: KeyType; passphrase?: string } = {},
): Promise<string> {
  const type = options.type ?? "ed25519";
  const bits = type === "rsa" ? ["-b", "2048"] : [];
  const words = ["-q", "-t", type, ...bits, "-N", options.passphrase ?? "", "-C", "test"];
  await runProgram("ssh-keygen", [...words, "-f", path]);
  return (await fs.readFile(`${path}.pub`, "utf8")).split(" ").slice(0, 2).join(" ").trim();
}

/** A process as ps shows it. */
interface Listed {
  pid: number;
  parent: number;
  command: string;
}

async function processes(): Promise<Listed[]> {
  const lines = (await runProgram("ps", ["-A", "-o", "pid=,ppid=,comm="])).trim().split("\n");
  return lines.map((line) => {
    const [pid, parent, command = ""] = line.trim().split(/\s+/);
    return { pid: Number(pid), parent: Number(parent), command };
  });
}

/** All processes below `pids`, children before grandchildren; with `name`, only those called so. */
async function descendants(pids: readonly number[], name?: RegExp): Promise<number[]> {
  const children = new Map<number, number[]>();
  for (const { pid, parent, command } of await processes()) {
    if (name !== undefined && !name.test(command)) continue;
    children.set(parent, [...children.get(parent) ?? [], pid]);
  }
  const found: number[] = [];
  for (let level = [...pids]; level.length > 0;) {
    level = level.flatMap((parent) => children.get(parent) ?? []);
    found.push(...level);
  }
  return found;
}

/** Those of `pids` that are sshd still: a number may belong to somebody else by now. */
async function stillSessions(pids: readonly number[]): Promise<number[]> {
  if (pids.length === 0) return [];
  const known = (await processes()).filter(({ command }) => SESSION.test(command));
  return pids.filter((pid) => known.some((process) => process.pid === pid));
}

/** A connection is one process, or two where sshd separates privileges. */
const SESSION = /^sshd/;

function kill(pid: number, signal: "SIGKILL" | "SIGSTOP"): void {
  // -1, 0 and 1 would be everybody, ourselves, or the machine.
  if (pid <= 1) return;
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone already, which is what was wanted.
  }
}

/** One sshd process: starts it and waits until it says that it listens. */
async function launch(program: string, configFile: string, timeoutMs: number): Promise<Listener> {
  const child = spawn(program, ["-D", "-e", "-f", configFile], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const listener = new Listener(child);
  await listener.ready(timeoutMs);
  return listener;
}

class Listener {
  readonly ended: Promise<void>;
  log = "";
  readonly #child: ChildProcess;
  #wake: () => void = () => {};
  #exited = false;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.on("data", (chunk: Uint8Array) => {
      this.log += String(chunk);
      this.#wake();
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    const ended = () => {
      this.#exited = true;
      // Sessions inherited the log pipe; without this it would stay open as long as they live.
      child.stderr?.destroy();
      this.#wake();
      resolve();
    };
    child.once("exit", ended);
    // One that could not be started at all never exits.
    child.once("error", (error) => {
      this.log += String(error);
      ended();
    });
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  async ready(timeoutMs: number): Promise<void> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#wake();
    }, timeoutMs);
    try {
      while (!/Server listening on/.test(this.log) && !this.#exited && !late) {
        await new Promise<void>((resolve) => this.#wake = resolve);
      }
    } finally {
      clearTimeout(timer);
    }
    if (!late && !this.#exited) return;
    kill(this.pid, "SIGKILL");
    await this.ended;
    throw new Error(`Cannot start sshd: ${this.log.trim()}`);
  }

  async end(): Promise<void> {
    if (!this.#exited) kill(this.pid, "SIGKILL");
    await this.ended;
  }
}

/** The files of one sshd: keys, known_hosts, config. */
class Files {
  readonly dir: string;
  readonly hostKeys: string[] = [];
  readonly identityFile: string;
  readonly knownHostsFile: string;
  readonly authorizedKeysFile: string;
  readonly configFile: string;

  constructor(dir: string, identityFile: string | undefined) {
    this.dir = dir;
    this.identityFile = identityFile ?? join(dir, "id_user");
    this.knownHostsFile = join(dir, "known_hosts");
    this.authorizedKeysFile = join(dir, "authorized_keys");
    this.configFile = join(dir, "sshd_config");
  }

  async make(options: SshdOptions): Promise<void> {
    await fs.mkdir(join(this.dir, "home"), { mode: 0o700 });
    for (const type of options.hostKeyTypes ?? ["ed25519"]) {
      this.hostKeys.push(await makeKey(join(this.dir, `host_${type}`), { type }));
    }
    if (options.sameUserKeyAs === undefined) await makeKey(this.identityFile);
    await fs.copyFile(`${this.identityFile}.pub`, this.authorizedKeysFile);
    await fs.chmod(this.authorizedKeysFile, 0o600);
  }

  async configure(port: number, options: SshdOptions): Promise<void> {
    const lines = this.hostKeys.map((key) => `[127.0.0.1]:${port} ${key}\n`);
    await fs.writeFile(this.knownHostsFile, lines.join(""), { mode: 0o600 });
    const types = options.hostKeyTypes ?? ["ed25519"];
    // A home of its own: start-up files of the user's shell would print, wait for locks, and change PATH.
    const home = `HOME=${join(this.dir, "home")}`;
    const given = (options.config ?? []).map((line) =>
      line.startsWith("SetEnv ") ? `${line} ${home}` : line // only the first such line counts
    );
    const config = [
      ...given,
      `SetEnv ${home}`,
      "ListenAddress 127.0.0.1",
      `Port ${port}`,
      ...types.map((type) => `HostKey ${join(this.dir, `host_${type}`)}`),
      `PidFile ${join(this.dir, "sshd.pid")}`,
      `AuthorizedKeysFile ${this.authorizedKeysFile}`,
      "StrictModes no",
      "UsePAM no",
      "UseDNS no",
      "PermitRootLogin yes",
      "PasswordAuthentication no",
      "KbdInteractiveAuthentication no",
      "LogLevel INFO",
      "Subsystem sftp internal-sftp",
    ];
    await fs.writeFile(this.configFile, config.join("\n") + "\n", { mode: 0o600 });
  }
}

class RunningSshd implements Sshd {
  readonly host = "127.0.0.1";
  readonly user = userInfo().username;
  readonly port: number;
  readonly #program: string;
  readonly #files: Files;
  readonly #timeoutMs: number;
  #listener: Listener | null;
  #orphans: number[] = [];
  #oldLog = "";
  #stopped: Promise<void> | undefined;

  constructor(
    program: string,
    files: Files,
    port: number,
    listener: Listener,
    timeoutMs: number,
  ) {
    this.#program = program;
    this.#files = files;
    this.port = port;
    this.#listener = listener;
    this.#timeoutMs = timeoutMs;
  }

  get dir(): string {
    return this.#files.dir;
  }
  get identityFile(): string {
    return this.#files.identityFile;
  }
  get knownHostsFile(): string {
    return this.#files.knownHostsFile;
  }
  get authorizedKeysFile(): string {
    return this.#files.authorizedKeysFile;
  }
  get hostKeys(): readonly string[] {
    return this.#files.hostKeys;
  }
  get pid(): number {
    return this.#listener?.pid ?? -1;
  }

  log(): string {
    return this.#oldLog + (this.#listener?.log ?? "");
  }

  async killConnections(): Promise<void> {
    const orphans = await stillSessions(this.#orphans);
    const sessions = this.#listener === null
      ? []
      : await descendants([this.#listener.pid], SESSION);
    for (const pid of [...orphans, ...sessions]) kill(pid, "SIGKILL");
    this.#orphans = [];
  }

  async holdConnections(): Promise<void> {
    if (this.#listener === null) return;
    for (const pid of await descendants([this.#listener.pid], SESSION)) kill(pid, "SIGSTOP");
  }

  async stopListening(): Promise<void> {
    const listener = this.#listener;
    if (listener === null) return;
    this.#listener = null;
    // Stopped first, so that no connection comes in between; then its sessions are remembered: they
    // live on without a parent to find them by.
    kill(listener.pid, "SIGSTOP");
    this.#orphans.push(...await descendants([listener.pid], SESSION));
    await listener.end();
    this.#oldLog += listener.log;
  }

  async start(): Promise<void> {
    if (this.#listener !== null) return;
    this.#listener = await launch(this.#program, this.#files.configFile, this.#timeoutMs);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    await this.stopListening();
    const orphans = await stillSessions(this.#orphans);
    for (const pid of [...orphans, ...await descendants(orphans)]) kill(pid, "SIGKILL");
    await removeTree(this.dir);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/**
 * Starts sshd and waits until it listens.
 *
 * @throws {Error} when there is no sshd, or it does not start.
 */
export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const program = findSshd();
  if (program === null) throw new Error("Cannot start sshd: not found; install openssh-server");
  if (process.getuid?.() === 0) await fs.mkdir("/run/sshd", { recursive: true, mode: 0o755 });
  const timeoutMs = options.startTimeoutMs ?? 60_000;
  const dir = await fs.mkdtemp(join(tmpdir(), "harness-sshd-"));
  const files = new Files(dir, options.sameUserKeyAs?.identityFile);
  try {
    await files.make(options);
    // Between finding a free port and sshd taking it, somebody else may have: then the next one.
    for (let attempt = 1;; attempt += 1) {
      const port = options.port || freePort(); // sshd cannot be told to choose one itself
      await files.configure(port, options);
      try {
        const listener = await launch(program, files.configFile, timeoutMs);
        return new RunningSshd(program, files, port, listener, timeoutMs);
      } catch (error) {
        const taken = /Address already in use|Cannot bind any address/.test(String(error));
        if (!taken || attempt === 5 || options.port) throw error;
      }
    }
  } catch (error) {
    await removeTree(dir);
    throw error;
  }
}
