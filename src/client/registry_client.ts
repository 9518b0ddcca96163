/**
 * The client: typed calls, and events that survive the loss of a connection.
 *
 * @module
 */
import { HarnessError, toHarnessError } from "../errors.ts";
import {
  CLIENT_CALL_TIMEOUT_MS,
  CLIENT_EVENT_BUFFER,
  CLIENT_SERVICE_ACTION_TIMEOUT_MS,
  CLIENT_STABLE_CONNECTION_MS,
} from "../limits.ts";
import type { ActionData, ActionParams, SubscribableEvent } from "../protocol/actions.ts";
import type { EventMessage, HelloData } from "../protocol/messages.ts";
import type { EventType } from "../registry/events.ts";
import { type CallableAction, type CallOptions, RegistryActions } from "./actions.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { type EventsOptions, EventStream } from "./event_stream.ts";
import { Feed } from "./feed.ts";
import {
  backoffDelayMs,
  type Closure,
  isWorthRetrying,
  type ReconnectOptions,
  requestedDelayMs,
  shouldReconnect,
} from "./reconnect.ts";
import { type TokenTransport, type WebSocketConstructor, webSocketUrl } from "./socket.ts";
import type { ClientClosure, ClientStatus } from "./status.ts";
import { Subscriptions } from "./subscriptions.ts";

/** Options for {@linkcode RegistryClient.connect}. */
export interface ConnectOptions {
  /** The token, or what gets it: asked again for every connection. */
  token?: string | (() => string | Promise<string>);
  /** How the token is sent. @default {by header where the WebSocket class is known to take headers} */
  tokenTransport?: TokenTransport;
  /** The WebSocket class, such as that of `npm:ws` on Node 20. @default {globalThis.WebSocket} */
  webSocket?: WebSocketConstructor;
  /** More request headers, where the WebSocket class takes headers. */
  headers?: Record<string, string>;
  /** Gives up the first connection. It does not end a connected client: that is `close()`. */
  signal?: AbortSignal;
  /** How long one attempt to connect may take. @default {10000} */
  connectTimeoutMs?: number;
  /** How long a call waits for its response. @default {30000, and 300000 for service_action} */
  callTimeoutMs?: number;
  /** How to come back when the connection is lost; `false` = not at all. @default {true} */
  reconnect?: boolean | ReconnectOptions;
  /** Silence after which the server is asked whether it is there. @default {45000} */
  idleProbeMs?: number;
  /** Told of every change of the connection. Must not throw. */
  onStatus?: (status: ClientStatus) => void;
}

/**
 * A client of a harness-ws-server.
 *
 * It comes back by itself when the connection is lost, with full jitter, and its event streams go on
 * where they were; only calls that were waiting for a response fail, with `unavailable` and
 * `details.outcome: "unknown"`, because only the caller knows whether they may be repeated.
 *
 * @example Usage
 * ```ts ignore
 * import { RegistryClient } from "@harness/service-registry/client";
 *
 * await using client = await RegistryClient.connect("ws://127.0.0.1:8080");
 * console.log(await client.listServices());
 * for await (const item of client.events({ events: ["service_state_changed"], snapshot: true })) {
 *   if (item.kind === "snapshot") console.log("now:", item.services);
 *   if (item.kind === "event") console.log(item.data.id, item.data.new_state);
 * }
 * ```
 */
export class RegistryClient extends RegistryActions implements AsyncDisposable {
  /** Where the server is. */
  readonly url: string;
  /** Resolves with how the client ended. Never rejects. */
  readonly closed: Promise<ClientClosure>;
  readonly #options: ConnectOptions;
  readonly #reconnect: ReconnectOptions | null;
  readonly #subscriptions: Subscriptions;
  readonly #closing: AbortController = new AbortController();
  #connection: Connection | null = null;
  #hello: HelloData;
  #waiters: Set<() => void> = new Set();
  #closure: ClientClosure | null = null;

  private constructor(url: string, first: Connection, options: ConnectOptions, inbox: Inbox) {
    super();
    this.url = url;
    this.#options = options;
    this.#reconnect = reconnectOptions(options.reconnect);
    this.#hello = first.hello;
    this.#subscriptions = new Subscriptions({
      timeoutMs: options.callTimeoutMs ?? CLIENT_CALL_TIMEOUT_MS,
      reconnect: this.#reconnect ?? {},
      onResumed: ({ how, epoch, seq }) => {
        if (how === "snapshot") this.#tell({ type: "snapshot", epoch, seq });
        else this.#tell({ type: "resumed", epoch, seq, replayed: how === "replayed" });
      },
    });
    inbox.onEvent = (message) => this.#receive(message);
    this.#connected(first);
    this.closed = this.#run(first, inbox);
  }

  /**
   * Connects to a server.
   *
   * @throws {HarnessError} `unreachable`, `unauthorized`, `forbidden`, `unavailable`, `timeout`,
   * `cancelled`, or `invalid_params` for a URL that is none.
   */
  static async connect(
    url: string | URL,
    options: ConnectOptions = {},
  ): Promise<RegistryClient> {
    const target = webSocketUrl(url);
    const inbox: Inbox = { onEvent: () => {} };
    const first = await openConnection(target, options, inbox, options.signal);
    return new RegistryClient(target, first, options, inbox);
  }

  /** Whether a connection is there, is being made again, or never will be. */
  get state(): "connected" | "reconnecting" | "closed" {
    if (this.#closure !== null) return "closed";
    return this.#connection === null ? "reconnecting" : "connected";
  }

  /** What the server said first on the present connection, or on the last one. */
  get hello(): HelloData {
    return this.#hello;
  }

  /**
   * Calls an action by its name.
   *
   * @throws {HarnessError} The server's error. `unavailable`, `timeout` and `cancelled` have
   * `details.outcome`: `not_sent` when nothing was done, else `unknown`.
   */
  override async call<A extends CallableAction>(
    action: A,
    params: ActionParams<A>,
    options: CallOptions = {},
  ): Promise<ActionData<A>> {
    const timeoutMs = options.timeoutMs ?? this.#options.callTimeoutMs ??
      (action === "service_action" ? CLIENT_SERVICE_ACTION_TIMEOUT_MS : CLIENT_CALL_TIMEOUT_MS);
    const startedAt = Date.now();
    let connection = this.#connection;
    if (connection === null && options.waitForConnection === true) {
      connection = await this.#nextConnection(timeoutMs, options.signal);
    }
    if (connection === null) throw this.#offline(action);
    const left = Math.max(1, timeoutMs - (Date.now() - startedAt));
    return await connection.request(action, params, {
      timeoutMs: left,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  }

  /**
   * Events from now on (or from `since`), without a gap, also across reconnects.
   *
   * Where events were missed that the server no longer has, the stream gives a snapshot instead and says so.
   */
  events<E extends SubscribableEvent = EventType>(
    options: EventsOptions<E> = {},
  ): EventStream<E> {
    const { signal, bufferSize = CLIENT_EVENT_BUFFER, ...rest } = options;
    const feed = new Feed({ ...rest, bufferSize: Math.max(1, bufferSize) });
    if (this.#closure !== null) {
      const error = this.#closure.error ?? this.#offline("subscribe");
      feed.end(error);
      return new EventStream<E>(feed, Promise.reject(error), () => {});
    }
    const onAbort = () => stream.close();
    const stream = new EventStream<E>(feed, this.#subscriptions.add(feed), () => {
      signal?.removeEventListener("abort", onAbort);
      this.#subscriptions.remove(feed);
    });
    signal?.addEventListener("abort", onAbort);
    if (signal?.aborted) onAbort();
    return stream;
  }

  /** Ends the client: its streams end, its calls fail. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#connection?.close(1000, "client closed");
    await this.closed;
  }

  /** Ends the client, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** From one connection to the next, until there is none any more. */
  async #run(first: Connection, inbox: Inbox): Promise<ClientClosure> {
    let connection = first;
    let attempt = 0;
    while (true) {
      const openedAt = Date.now();
      const closure = await connection.closed;
      if (Date.now() - openedAt >= CLIENT_STABLE_CONNECTION_MS) attempt = 0;
      this.#connection = null;
      this.#subscriptions.detach();
      const willReconnect = this.#reconnect !== null && !this.#closing.signal.aborted &&
        shouldReconnect(closure.code);
      const { code, reason } = closure;
      this.#tell({ type: "disconnected", code, reason, willReconnect });
      if (!willReconnect) return this.#finish(closure, this.#finalError(closure));
      const next = await this.#comeBack(closure, attempt, inbox);
      if (next.connection === null) return this.#finish(closure, next.error);
      attempt = next.attempt;
      connection = next.connection;
      this.#connected(connection);
    }
  }

  async #comeBack(
    closure: Closure,
    attempts: number,
    inbox: Inbox,
  ): Promise<
    | { connection: Connection; attempt: number }
    | { connection: null; error: HarnessError | null }
  > {
    const options = this.#reconnect ?? {};
    const { signal } = this.#closing;
    let error: HarnessError | null = null;
    let leastMs = requestedDelayMs(closure);
    for (let attempt = attempts; !signal.aborted; attempt++) {
      if (attempt - attempts >= (options.maxAttempts ?? Infinity)) {
        return { connection: null, error };
      }
      const delayMs = Math.round(leastMs + backoffDelayMs(attempt, options));
      leastMs = 0;
      this.#tell({ type: "reconnecting", attempt: attempt - attempts + 1, delayMs, error });
      await sleep(delayMs, signal);
      if (signal.aborted) break;
      try {
        const connection = await openConnection(this.url, this.#options, inbox, signal);
        return { connection, attempt: attempt + 1 };
      } catch (thrown) {
        error = toHarnessError(thrown);
        if (!signal.aborted && !isWorthRetrying(error)) return { connection: null, error };
      }
    }
    return { connection: null, error: null };
  }

  #connected(connection: Connection): void {
    this.#connection = connection;
    this.#hello = connection.hello;
    this.#subscriptions.attach(connection);
    this.#tell({ type: "connected", hello: connection.hello });
    this.#wake();
    // Closed while the handshake was under way.
    if (this.#closing.signal.aborted) connection.close(1000, "client closed");
  }

  #receive(message: EventMessage): void {
    if (message.event === "server_draining") {
      const { reason, reconnect_after_ms: reconnectAfterMs } = message.data;
      this.#tell({ type: "draining", reason, reconnectAfterMs });
      return;
    }
    this.#subscriptions.dispatch(message);
  }

  #finalError(closure: Closure): HarnessError | null {
    if (this.#closing.signal.aborted) return null;
    const why = closure.reason === "" ? "" : ` (${closure.reason})`;
    const message = `The connection to ${this.url} ended with code ${closure.code}${why}`;
    return new HarnessError("unavailable", message, { details: { close_code: closure.code } });
  }

  #finish(closure: Closure, error: HarnessError | null): ClientClosure {
    this.#closure = { code: closure.code, reason: closure.reason, error };
    this.#subscriptions.end(error);
    this.#wake();
    this.#tell({ type: "closed", closure: this.#closure });
    return this.#closure;
  }

  /** The present connection, or the next one; `null` when there will be none in time. */
  async #nextConnection(
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Connection | null> {
    const until = Date.now() + timeoutMs;
    while (this.#connection === null && this.#closure === null && !signal?.aborted) {
      const left = until - Date.now();
      if (left <= 0) break;
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          signal?.removeEventListener("abort", done);
          this.#waiters.delete(done);
          resolve();
        };
        const timer = setTimeout(done, left);
        signal?.addEventListener("abort", done);
        this.#waiters.add(done);
      });
    }
    return this.#connection;
  }

  #wake(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }

  #offline(action: string): HarnessError {
    const then = this.#closure === null
      ? "the client is reconnecting, try again or pass waitForConnection"
      : "the client is closed";
    return new HarnessError("unavailable", `Cannot send "${action}": ${then}`, {
      details: { outcome: "not_sent", action },
      ...(this.#closure?.error ? { cause: this.#closure.error } : {}),
    });
  }

  #tell(status: ClientStatus): void {
    this.#options.onStatus?.(status);
  }
}

/** Where the events of the present connection go. */
interface Inbox {
  onEvent: (message: EventMessage) => void;
}

async function openConnection(
  url: string,
  options: ConnectOptions,
  inbox: Inbox,
  signal: AbortSignal | undefined,
): Promise<Connection> {
  const { webSocket, tokenTransport, headers, connectTimeoutMs, idleProbeMs } = options;
  const token = typeof options.token === "function" ? await options.token() : options.token;
  const connection: ConnectionOptions = { onEvent: (message) => inbox.onEvent(message) };
  if (webSocket !== undefined) connection.webSocket = webSocket;
  if (tokenTransport !== undefined) connection.tokenTransport = tokenTransport;
  if (headers !== undefined) connection.headers = headers;
  if (connectTimeoutMs !== undefined) connection.connectTimeoutMs = connectTimeoutMs;
  if (idleProbeMs !== undefined) connection.idleProbeMs = idleProbeMs;
  if (token !== undefined) connection.token = token;
  if (signal !== undefined) connection.signal = signal;
  return await Connection.open(url, connection);
}

function reconnectOptions(option: ConnectOptions["reconnect"]): ReconnectOptions | null {
  if (option === false) return null;
  return typeof option === "object" ? option : {};
}

function sleep(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, delayMs);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}
