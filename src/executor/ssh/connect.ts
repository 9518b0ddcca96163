/**
 * Commands on another machine over one SSH connection.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { HarnessError } from "../../errors.ts";
import {
  KILL_GRACE_MS,
  SSH_CONNECT_ATTEMPTS,
  SSH_CONNECT_TIMEOUT_MS,
  SSH_KEEPALIVE_MS,
  SSH_MAX_CHANNELS,
  SSH_MAX_LINE_BYTES,
  SSH_RETRY_BASE_MS,
} from "../limits.ts";
import type { Command, Executor, RunOptions, RunResult, Stdin } from "../executor.ts";
import { throughStdin } from "../shell/stdin_script.ts";
import { runProcess } from "../run_process.ts";
import { announceText, commandName, loginShellLine, shellText } from "../shell/shell_line.ts";
import { CIPHERS } from "./algorithms.ts";
import { Credentials, requireKeyFile } from "./auth.ts";
import { ChannelPool, runAside } from "./channels.ts";
import { closeClient, connectHop, type HopConnection } from "./connection.ts";
import { unreachable } from "./errors.ts";
import { HostKeyCheck } from "./host_key.ts";
import { SshPair } from "./serial.ts";
import { SshProcess } from "./process.ts";
import { type Hop, routeTo } from "./route.ts";
import { sleep } from "../../util/async.ts";

const logger = getLogger(["harness", "executor"]);

/** A machine to connect to. What is left out comes from ssh_config, then from the defaults of ssh. */
export interface SshTarget {
  /** Host name, address, or a `Host` of ssh_config. */
  host: string;
  /** User to log in as. @default {the user we are} */
  user?: string;
  /** TCP port. @default {22} */
  port?: number;
  /** Private key to use, before those of ssh_config. It must be there: no other one takes its place unseen. */
  identityFile?: string;
}

/** What to do with a host that no known_hosts file knows. A changed or revoked key is always refused. */
export type HostKeyPolicy = "strict" | "accept-new";

/** Options for {@linkcode connectSsh}. */
export interface SshOptions {
  /** known_hosts files; the first is where `accept-new` adds to. @default {as in ssh_config, or ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts} */
  knownHostsFiles?: readonly string[];
  /** What to do with an unknown host. @default {"strict"} */
  hostKeyPolicy?: HostKeyPolicy;
  /** ssh_config to read; `null` reads none. @default {~/.ssh/config and /etc/ssh/ssh_config} */
  sshConfigFile?: string | null;
  /** Private keys to try before those of ssh_config. */
  identityFiles?: readonly string[];
  /** Passphrase of encrypted keys. @default {$HARNESS_SSH_PASSPHRASE, or what is in the file $HARNESS_SSH_PASSPHRASE_FILE} */
  passphrase?: string;
  /** Socket of ssh-agent; `null` uses none. @default {$SSH_AUTH_SOCK} */
  agentSocket?: string | null;
  /** Time for each hop to connect and log in. @default {SSH_CONNECT_TIMEOUT_MS} */
  connectTimeoutMs?: number;
  /** Tries when a server drops us before the key exchange. @default {SSH_CONNECT_ATTEMPTS} */
  connectAttempts?: number;
  /** Commands at once on the connection. @default {SSH_MAX_CHANNELS} */
  maxChannels?: number;
  /** Pause between keepalives. @default {SSH_KEEPALIVE_MS} */
  keepaliveMs?: number;
  /** Ciphers to offer, best first. @default {CIPHERS} */
  ciphers?: readonly string[];
  /** Gives up connecting. */
  signal?: AbortSignal;
}

/** One connection, over as many hops as it takes, and the commands that run on it. */
class SshExecutor implements Executor {
  readonly host: string;
  readonly #hop: Hop;
  readonly #connections: readonly HopConnection[];
  readonly #channels: ChannelPool;
  readonly #runElsewhere: (line: string) => Promise<void>;
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;
  #isLost = false;

  constructor(
    hop: Hop,
    connections: readonly HopConnection[],
    options: { maxChannels: number; runElsewhere: (line: string) => Promise<void> },
  ) {
    this.#runElsewhere = async (line) => {
      if (!this.#isLost) await options.runElsewhere(line);
    };
    this.host = hop.label;
    this.#hop = hop;
    this.#connections = connections;
    const last = connections[connections.length - 1];
    if (last === undefined) throw new TypeError("Cannot use a route without a hop");
    this.#channels = new ChannelPool(last.client, hop, options.maxChannels);
    last.client.on("error", (error) => this.#lost(error));
    last.client.once("close", () => this.#lost(undefined));
  }

  async run(command: Command, options: RunOptions = {}): Promise<RunResult> {
    options.signal?.throwIfAborted();
    this.#closing.signal.throwIfAborted();
    const nonce = `harness-${crypto.randomUUID()}`;
    const { line, stdin } = sessionLine(shellText(command, options), nonce, options.stdin);
    const runOptions = stdin === undefined ? options : { ...options, stdin };
    const running = this.#run(line, nonce, commandName(command), runOptions);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  async #run(line: string, nonce: string, name: string, options: RunOptions): Promise<RunResult> {
    const signals = [this.#closing.signal, ...options.signal ? [options.signal] : []];
    const processOptions = {
      nonce,
      hop: this.#hop,
      channels: this.#channels,
      runElsewhere: this.#runElsewhere,
    };
    const process = await this.#channels.open(
      line,
      AbortSignal.any(signals),
      (channel) => new SshProcess(channel, processOptions),
    );
    try {
      return await runProcess(process, {
        run: options,
        what: `${JSON.stringify(name)} on ${this.host}`,
        closing: this.#closing.signal,
      });
    } finally {
      this.#channels.release();
    }
  }

  /** The connection is gone: whoever runs something, or wants to, is told why. */
  #lost(error: Error | undefined): void {
    this.#isLost = true;
    if (this.#closing.signal.aborted) return;
    const why = /keepalive/i.test(error?.message ?? "")
      ? "it stopped answering; the host or the network went down"
      : `the connection broke${error === undefined ? "" : `: ${error.message}`}`;
    logger.warn("Lost the connection to {host}: {why}", { host: this.host, why });
    this.#closing.abort(unreachable(this.#hop, "run", "closed", why, error));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort(
      new HarnessError("cancelled", `Cannot go on with ${this.host}: the connection was closed`),
    );
    await Promise.allSettled(this.#running);
    await closeAll(this.#connections);
  }
}

/** The line for the login shell; the text of a long command goes ahead of its stdin instead. */
function sessionLine(
  text: string,
  nonce: string,
  stdin: Stdin | undefined,
): { line: string; stdin: Stdin | undefined } {
  if (text.length <= SSH_MAX_LINE_BYTES) {
    const line = loginShellLine(announceText(nonce) + text);
    if (line.length <= SSH_MAX_LINE_BYTES) return { line, stdin };
  }
  const sent = throughStdin(text, stdin, nonce);
  return { line: loginShellLine(announceText(nonce) + sent.text), stdin: sent.stdin };
}

async function closeAll(connections: readonly HopConnection[]): Promise<void> {
  for (const { client, socket } of connections.toReversed()) await closeClient(client, socket);
}

/** Whether the server dropped us in a way that is over a moment later. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof HarnessError) || error.code !== "unreachable") return false;
  const { reason } = error.details ?? {};
  const busyDns = error.cause instanceof Error && /EAI_AGAIN/.test(String(error.cause));
  return reason === "reset" || (reason === "dns" && busyDns);
}

async function connectRoute(route: readonly Hop[], options: SshOptions): Promise<HopConnection[]> {
  const connections: HopConnection[] = [];
  try {
    for (const hop of route) {
      const connection = await connectHop(hop, {
        hostKey: await HostKeyCheck.read(hop),
        credentials: await Credentials.read(hop),
        through: connections.at(-1)?.client ?? null,
        timeoutMs: options.connectTimeoutMs ?? SSH_CONNECT_TIMEOUT_MS,
        keepaliveMs: options.keepaliveMs ?? SSH_KEEPALIVE_MS,
        ciphers: options.ciphers ?? CIPHERS,
        signal: options.signal,
      });
      connections.push(connection);
    }
    return connections;
  } catch (error) {
    await closeAll(connections);
    throw error;
  }
}

/** Runs a line over a connection of its own. */
async function runOnce(route: readonly Hop[], options: SshOptions, line: string): Promise<void> {
  const { signal: _, ...others } = options;
  const connections = await connectRoute(route, { ...others, connectTimeoutMs: KILL_GRACE_MS });
  try {
    const last = connections[connections.length - 1];
    if (last !== undefined) await runAside(last.client, line);
  } finally {
    await closeAll(connections);
  }
}

/** Whether the last server of a route is dropbear. */
function isDropbear(connections: readonly HopConnection[]): boolean {
  // ssh2 keeps the name by which the server introduced itself, and has no public way to ask for it.
  const client = connections.at(-1)?.client as { _remoteVer?: string } | undefined;
  return client?._remoteVer?.startsWith("dropbear") ?? false;
}

/**
 * Connects to a machine.
 *
 * The host's key is checked against known_hosts before anything is sent to it. A server that drops the
 * connection before the key exchange, as sshd does when too many log in at once, is tried again after a
 * pause of random length.
 *
 * @param target The machine.
 * @param options How to connect.
 * @returns An executor; disposing it closes the connection.
 * @throws {HarnessError} `unreachable` with details `{host, step, reason}`; `invalid_params` for an
 * ssh_config that cannot be used.
 *
 * @example Usage
 * ```ts ignore
 * await using web1 = await connectSsh({ host: "web1.example.com", user: "deploy" });
 * const { stdout } = await web1.run({ argv: ["uname", "-m"] });
 * ```
 */
export async function connectSsh(target: SshTarget, options: SshOptions = {}): Promise<Executor> {
  options.signal?.throwIfAborted();
  const route = await routeTo(target, options);
  const last = route[route.length - 1] as Hop;
  if (target.identityFile !== undefined) await requireKeyFile(target.identityFile, last);
  const attempts = options.connectAttempts ?? SSH_CONNECT_ATTEMPTS;
  for (let attempt = 1;; attempt += 1) {
    try {
      const connections = await connectRoute(route, options);
      const pair = options.maxChannels === undefined && isDropbear(connections);
      const executor = new SshExecutor(last, connections, {
        maxChannels: options.maxChannels ?? (pair ? 1 : SSH_MAX_CHANNELS),
        runElsewhere: (line) => runOnce(route, options, line),
      });
      if (!pair) return executor;
      return new SshPair(
        executor,
        (signal) => connectSsh(target, { ...options, signal, maxChannels: 1 }),
      );
    } catch (error) {
      if (attempt >= attempts || !isPassing(error)) throw error;
      logger.info("Will try {host} again: {error}", { host: target.host, error: String(error) });
      // Full jitter: hosts that were dropped together must not come back together.
      await sleep(Math.random() * SSH_RETRY_BASE_MS * 2 ** (attempt - 1), options.signal);
      options.signal?.throwIfAborted();
    }
  }
}
