/**
 * One SSH connection to one hop: TCP or a channel through the hop before it, host key, login.
 *
 * @module
 */
import { connect as connectTcp, Socket } from "node:net";
import type { Duplex } from "node:stream";
// @ts-types="@types/ssh2"
import ssh2 from "ssh2";
// @ts-types="@types/ssh2"
import type { ConnectConfig } from "ssh2";
import { type HarnessError, messageOf } from "../../errors.ts";
import { KILL_GRACE_MS, SSH_CLOSE_GRACE_MS, SSH_KEEPALIVE_COUNT } from "../limits.ts";
import { settleWithin } from "../../util/async.ts";
import { hostKeyAlgorithms, KEY_EXCHANGES, MACS } from "./algorithms.ts";
import { freeCiphers, trackCiphers } from "./workarounds/ciphers.ts";
import { inOwnTurn } from "./workarounds/host_verifier.ts";
import { joinWrites } from "./workarounds/joined_writes.ts";
import { holdBackDuringRekey } from "./workarounds/rekey.ts";
import type { Credentials } from "./auth.ts";
import { authError, connectError, protocolError, timeoutError, unreachable } from "./errors.ts";
import type { ConnectStep } from "./types.ts";
import type { HostKeyCheck } from "./host_key.ts";
import { paceInput } from "./input.ts";
import type { Hop } from "./types.ts";

/** An authenticated connection to one hop. */
export interface HopConnection {
  /** The connection. */
  client: ssh2.Client;
  /** Its transport. */
  socket: Duplex;
}

/** Options for {@linkcode connectHop}. */
export interface HopOptions {
  /** Verifies the host's key. */
  hostKey: HostKeyCheck;
  /** What to authenticate with. */
  credentials: Credentials;
  /** The connection to the hop before, when there is one. */
  through: ssh2.Client | null;
  /** Timeout over all steps. */
  timeoutMs: number;
  /** Interval of keepalives. */
  keepaliveMs: number;
  /** Ciphers, best first. */
  ciphers: readonly string[];
  /** Gives up. */
  signal: AbortSignal | undefined;
}

/** The progress of a connection attempt, and its first failure. */
class Attempt {
  step: ConnectStep = "connect";
  /** Whether it has failed: ssh2 must not be called any more. */
  isOver = false;
  readonly failed: Promise<never>;
  readonly #reject: (reason: unknown) => void;

  constructor() {
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {});
    this.failed = promise;
    this.#reject = reject;
  }

  fail(reason: unknown): void {
    this.isOver = true;
    this.#reject(reason);
  }
}

function openTcp(hop: Hop, attempt: Attempt): { socket: Socket; opened: Promise<void> } {
  const socket = connectTcp({ host: hop.address, port: hop.port });
  // Every command is a few small packets back and forth: Nagle's algorithm would delay them.
  socket.setNoDelay(true);
  joinWrites(socket);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => {});
  socket.once("connect", resolve);
  socket.on("error", (error) => {
    if (attempt.step === "connect") reject(connectError(hop, error));
  });
  return { socket, opened: promise };
}

function openThrough(hop: Hop, through: ssh2.Client): Promise<Duplex> {
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
  const onOpen = (error: Error | undefined, channel: Duplex): void => {
    if (!error) return resolve(channel);
    const why = `the jump host could not connect to it: ${messageOf(error)};` +
      " is AllowTcpForwarding on there, and is the host reachable from it?";
    reject(unreachable(hop, "connect", "refused", why, error));
  };
  try {
    through.forwardOut("127.0.0.1", 0, hop.address, hop.port, onOpen);
  } catch (error) {
    reject(unreachable(hop, "connect", "closed", "the connection to the jump host broke", error));
  }
  return promise;
}

function clientConfig(
  hop: Hop,
  options: HopOptions,
  attempt: Attempt,
  sock: Duplex,
): ConnectConfig {
  const algorithms = {
    cipher: [...options.ciphers],
    hmac: [...MACS],
    kex: [...KEY_EXCHANGES],
    serverHostKey: hostKeyAlgorithms(options.hostKey.knownTypes()),
    compress: ["none"],
  } as unknown as NonNullable<ConnectConfig["algorithms"]>;
  return {
    sock: sock as unknown as NonNullable<ConnectConfig["sock"]>,
    username: hop.user,
    algorithms,
    // connectHop() has a timeout over all steps.
    readyTimeout: 0,
    keepaliveInterval: options.keepaliveMs,
    keepaliveCountMax: SSH_KEEPALIVE_COUNT,
    hostVerifier: (key: unknown, verify: (valid: boolean) => void): void => {
      attempt.step = "host_key";
      options.hostKey.check(key as Uint8Array).then((refusal) => {
        // For a refused key the connection is closed before anything more is sent.
        if (refusal !== null) return attempt.fail(refusal);
        inOwnTurn(() => {
          if (attempt.isOver) return;
          attempt.step = "handshake";
          verify(true);
        });
      }, (error) => attempt.fail(error));
    },
    authHandler: (accepts, _partial, next) => {
      attempt.step = "auth";
      // ssh2 takes `false` for "nothing left"; its types lack this.
      next(options.credentials.next(accepts) as Parameters<typeof next>[0]);
    },
  };
}

/** Whether ssh2 tries the next key after this error. */
function isRecoverable(error: Error): boolean {
  const level = "level" in error ? error.level : "";
  return level === "agent" ||
    (level === "client-authentication" && error.message.startsWith("Error "));
}

function logIn(
  hop: Hop,
  options: HopOptions,
  attempt: Attempt,
  sock: Duplex,
): { client: ssh2.Client; ready: Promise<void> } {
  const client = new ssh2.Client();
  const { promise, resolve } = Promise.withResolvers<void>();
  client.once("ready", resolve);
  client.on("error", (error) => {
    if (attempt.step === "auth") {
      if (isRecoverable(error)) return options.credentials.note(messageOf(error));
      attempt.fail(authFailure(hop, options, error));
    } else {
      attempt.fail(protocolError(hop, attempt.step, error));
    }
  });
  client.once("close", () => {
    const error = new Error("the server closed the connection");
    if (attempt.step === "auth") attempt.fail(authFailure(hop, options, error));
    else attempt.fail(protocolError(hop, attempt.step, error));
  });
  attempt.step = "handshake";
  options.credentials.restart();
  client.connect(clientConfig(hop, options, attempt, sock));
  holdBackDuringRekey(client);
  trackCiphers(client);
  return { client, ready: promise };
}

function authFailure(hop: Hop, options: HopOptions, error: Error): HarnessError {
  const refused = "level" in error && error.level === "client-authentication";
  const dropped = /authentication|closed|not allowed/i.test(error.message);
  if (refused || dropped) return authError(hop, options.credentials.summary(), error);
  return protocolError(hop, "auth", error);
}

/** Ends a connection: sends a disconnect, waits at most `graceMs` for the server to close, and closes the socket. */
async function closeClient(
  client: ssh2.Client,
  socket: Duplex,
  graceMs: number = SSH_CLOSE_GRACE_MS,
): Promise<void> {
  const closed = closeOf(socket);
  client.end();
  if (graceMs > 0) await settleWithin(closed, graceMs);
  socket.destroy();
  await settleWithin(closed, KILL_GRACE_MS);
  freeCiphers(client);
}

/** Closes the connections of a route, the last hop first; each server has `graceMs` to do so. */
export async function closeConnections(
  connections: readonly HopConnection[],
  graceMs: number = SSH_CLOSE_GRACE_MS,
): Promise<void> {
  for (const { client, socket } of connections.toReversed()) {
    await closeClient(client, socket, graceMs);
  }
}

function closeOf(socket: Duplex): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (socket.closed) resolve();
  else socket.once("close", () => resolve());
  return promise;
}

/**
 * Connects and logs in to one hop.
 *
 * @throws {HarnessError} `unreachable`.
 * @throws the reason of `options.signal`.
 */
export async function connectHop(hop: Hop, options: HopOptions): Promise<HopConnection> {
  const attempt = new Attempt();
  const onAbort = (): void => attempt.fail(options.signal?.reason);
  options.signal?.throwIfAborted();
  options.signal?.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(
    () => attempt.fail(timeoutError(hop, attempt.step, options.timeoutMs)),
    options.timeoutMs,
  );
  let socket: Duplex | null = null;
  let client: ssh2.Client | null = null;
  try {
    if (options.through === null) {
      const tcp = openTcp(hop, attempt);
      socket = tcp.socket;
      await Promise.race([tcp.opened, attempt.failed]);
    } else {
      socket = await Promise.race([openThrough(hop, options.through), attempt.failed]);
    }
    const login = logIn(hop, options, attempt, socket);
    client = login.client;
    // Traffic through a jump host is paced on that connection.
    if (socket instanceof Socket) paceInput(socket);
    await Promise.race([login.ready, attempt.failed]);
    return { client, socket };
  } catch (error) {
    if (client !== null && socket !== null) await closeClient(client, socket, 0);
    else socket?.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", onAbort);
  }
}
