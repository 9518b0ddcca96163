/**
 * Connects client commands to the server.
 *
 * @module
 */
import type { CallableAction, ClientStatus, RegistryClient } from "../../client/mod.ts";
import { HarnessError } from "../../errors.ts";
import { visible } from "../../util/terminal_text.ts";
import { note, trace } from "../output/notes.ts";
import { CLI_TIMEOUT_MS } from "../limits.ts";
import type { ActionData, ActionParams } from "../../protocol/actions.ts";
import { notConnected } from "./connect_error.ts";
import type { Transport } from "./trusted_authority.ts";
import type { Context, Io } from "../context.ts";
import {
  booleanFlag,
  fileFlag,
  type FlagTable,
  type FlagValues,
  readFlags,
  valueFlag,
} from "../flags/flags.ts";
import { named, readNamedFile, readToken } from "../flags/secrets.ts";
import { serverUrl, timeout } from "../flags/values.ts";
import { formatDuration } from "../../util/units.ts";

const DEFAULT_URL = "ws://127.0.0.1:8080";

/** Flags of every command that talks to a server. */
export const CLIENT_FLAGS = {
  url: valueFlag<string>("url", {
    env: "HARNESS_URL",
    help: "the server",
    fallback: DEFAULT_URL,
    shownDefault: DEFAULT_URL,
  }, serverUrl),
  tokenFile: fileFlag({
    env: "HARNESS_TOKEN_FILE",
    help: "file with the token; or the token itself in HARNESS_TOKEN",
  }),
  tlsCa: fileFlag({
    env: "HARNESS_TLS_CA",
    help: "certificate authority of a wss: server, PEM",
  }),
  timeout: valueFlag<number>("time", {
    env: "HARNESS_TIMEOUT",
    help: "how long to wait for an answer",
    fallback: CLI_TIMEOUT_MS,
    shownDefault: formatDuration(CLI_TIMEOUT_MS),
  }, timeout),
  json: booleanFlag({ help: "machine-readable output" }),
} satisfies FlagTable;

/** The values of {@linkcode CLIENT_FLAGS}. */
export type ClientFlags = FlagValues<typeof CLIENT_FLAGS>;

/** A connection to the server for the time of one command. */
export class Session implements AsyncDisposable {
  /** The client underneath. */
  readonly client: RegistryClient;
  /** The flags it was opened with. */
  readonly flags: ClientFlags;
  readonly #io: Io;

  /** Use {@linkcode openSession}. */
  constructor(client: RegistryClient, flags: ClientFlags, io: Io) {
    this.client = client;
    this.flags = flags;
    this.#io = io;
  }

  /** Calls an action and waits for its answer at most `--timeout`. */
  async call<A extends CallableAction>(
    action: A,
    params: ActionParams<A>,
    options: { timeoutMs?: number; signal?: AbortSignal } = {},
  ): Promise<ActionData<A>> {
    const timeoutMs = options.timeoutMs ?? this.flags.timeout;
    const signal = options.signal ?? this.#io.interrupted;
    const startedAt = performance.now();
    let end = "failed";
    try {
      const data = await this.client.call(action, params, { signal, timeoutMs });
      end = "ok";
      return data;
    } finally {
      trace(
        this.#io,
        `request ${action}: ${end} in ${Math.round(performance.now() - startedAt)} ms`,
      );
    }
  }

  /** Closes the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
  }
}

/** Options for {@linkcode openSession}. */
export interface SessionOptions {
  /** Reconnect when the connection is lost, and report it. @default {false} */
  follows?: boolean;
  /** Takes the status of the connection instead of printing it. */
  onStatus?: (status: ClientStatus) => void;
}

/**
 * Connects to the server.
 *
 * @throws {HarnessError} `unreachable` when no server answers, `unauthorized` when it refuses the token.
 */
export async function openSession(
  context: Context,
  given: object,
  options: SessionOptions = {},
): Promise<Session> {
  const { io } = context;
  const flags = readFlags(CLIENT_FLAGS, given as Record<string, unknown>, io);
  const { token, url, place } = await serverAccess(io, flags);
  const { RegistryClient } = await import("../../client/client.ts");
  const transport = await trustedTransport(flags);
  trace(io, `connecting to ${url}, ${token === null ? "without a token" : `token of ${place}`}`);
  try {
    const client = await RegistryClient.connect(url, {
      ...transport,
      ...(token === null ? {} : { token }),
      signal: io.interrupted,
      connectTimeoutMs: flags.timeout,
      // A single request fails at once; a command that follows reconnects.
      reconnect: options.follows === true,
      onStatus: options.onStatus ?? ((status) => tellStatus(io, status)),
    });
    const { server, epoch, seq } = client.hello;
    trace(io, `connected to ${server.name} ${server.version}, epoch ${epoch}, seq ${seq}`);
    return new Session(client, { ...flags, url }, io);
  } catch (error) {
    io.interrupted.throwIfAborted();
    throw notConnected(error, place);
  }
}

/** How a client command reaches its server. */
export interface ServerAccess {
  /** The address. */
  readonly url: string;
  /** The token, or `null` where there is none. */
  readonly token: string | null;
  /** Where the token came from, or `null`. */
  readonly place: string | null;
}

/**
 * The token of a client command: `--token-file`, else the environment, else the one that a server of this
 * user made for this address.
 */
export async function serverAccess(io: Io, flags: ClientFlags): Promise<ServerAccess> {
  const { url, tokenFile } = flags;
  const given = await readToken({ file: tokenFile, text: io.env("HARNESS_TOKEN") });
  if (given !== null) {
    return { url, token: given, place: tokenFile === null ? "HARNESS_TOKEN" : named(tokenFile) };
  }
  const { hostname, port, protocol } = new URL(url);
  const plainHost = hostname.replace(/^\[(.*)\]$/, "$1");
  const standardPort = protocol === "wss:" ? 443 : 80;
  const { findAddressFile } = await import("../server_process/address_file.ts");
  const found = await findAddressFile(
    plainHost,
    Number(port) || standardPort,
    (name) => io.env(name),
  );
  if (found === null) return { url, token: null, place: null };
  const { token, path } = found;
  // TLS proves who answers, by the name that was given; without it only the address does.
  if (protocol === "wss:" || found.hostname === plainHost) return { url, token, place: path };
  const literal = new URL(url);
  literal.hostname = found.hostname.includes(":") ? `[${found.hostname}]` : found.hostname;
  return { url: literal.href, token, place: path };
}

/** What trusts the authority of `--tls-ca`; `null` = what the runtime trusts. */
export async function trustedTransport(flags: ClientFlags): Promise<Transport | null> {
  if (flags.tlsCa === null) return null;
  const pem = await readNamedFile(flags.tlsCa);
  try {
    const { trusting } = await import("./trusted_authority.ts");
    return await trusting(pem);
  } catch (error) {
    throw new HarnessError(
      "invalid_params",
      `Cannot use ${named(flags.tlsCa)}: it is no certificate authority in PEM form`,
      { cause: error },
    );
  }
}

/** Reports that a followed connection was lost, and that it is back. */
function tellStatus(io: Io, status: ClientStatus): void {
  if (status.type === "disconnected" && status.willReconnect) {
    note(
      io,
      `connection lost (${status.code}${
        status.reason && ` ${visible(status.reason)}`
      }), reconnecting\n`,
    );
  } else if (status.type === "resumed") {
    note(io, `connected again${status.replayed ? ", what was missed follows" : ""}\n`);
  } else if (status.type === "draining") {
    note(io, `the server is shutting down: ${visible(status.reason)}\n`);
  }
}
