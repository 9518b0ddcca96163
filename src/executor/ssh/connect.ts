/**
 * Connects to a machine over SSH, by way of its jump hosts.
 *
 * @module
 */
import { getLogger } from "../../util/log.ts";
import { HarnessError } from "../../errors.ts";
import {
  KILL_GRACE_MS,
  SSH_CONNECT_ATTEMPTS,
  SSH_CONNECT_TIMEOUT_MS,
  SSH_KEEPALIVE_MS,
  SSH_MAX_CHANNELS,
  SSH_RETRY_BASE_MS,
} from "../limits.ts";
import type { Executor } from "../executor.ts";
import { CIPHERS } from "./algorithms.ts";
import { Credentials, requireKeyFile } from "./auth.ts";
import { runAside } from "./channels.ts";
import { closeConnections, connectHop, type HopConnection } from "./connection.ts";
import { HostKeyCheck } from "./host_key.ts";
import { isDropbear, SerialSshExecutor } from "./workarounds/dropbear.ts";
import { routeTo } from "./route.ts";
import { sleep } from "../../util/async.ts";
import type { Hop, SshOptions, SshTarget } from "./types.ts";
import { SshExecutor } from "./ssh_executor.ts";

const logger = getLogger(["harness", "executor"]);

/** Whether another try may succeed in a moment. */
function isTransient(error: unknown): boolean {
  if (!(error instanceof HarnessError) || error.code !== "unreachable") return false;
  const { reason } = error.details ?? {};
  return reason === "reset" || (reason === "dns" && /EAI_AGAIN/.test(String(error.cause)));
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
    await closeConnections(connections);
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
    await closeConnections(connections);
  }
}

/**
 * Connects to a machine.
 *
 * The host key is checked against known_hosts before anything is sent. When the server drops the connection before the
 * key exchange, as sshd does when too many log in at once, the attempt is retried after a random backoff.
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
      const serial = options.maxChannels === undefined && isDropbear(connections.at(-1)?.client);
      const executor = new SshExecutor(last, connections, {
        maxChannels: options.maxChannels ?? (serial ? 1 : SSH_MAX_CHANNELS),
        runElsewhere: (line) => runOnce(route, options, line),
      });
      if (!serial) return executor;
      return new SerialSshExecutor(
        executor,
        (signal) => connectSsh(target, { ...options, signal, maxChannels: 1 }),
      );
    } catch (error) {
      if (attempt >= attempts || !isTransient(error)) throw error;
      logger.info("Retrying {host}: {error}", { host: target.host, error: String(error) });
      // Full jitter: hosts that were dropped together must not retry together.
      await sleep(Math.random() * SSH_RETRY_BASE_MS * 2 ** (attempt - 1), options.signal);
      options.signal?.throwIfAborted();
    }
  }
}
