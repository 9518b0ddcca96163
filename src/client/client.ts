/**
 * The client: typed calls, and event streams that resume after a reconnect.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import {
  CLIENT_CALL_TIMEOUT_MS,
  CLIENT_EVENT_BUFFER,
  CLIENT_SERVICE_ACTION_TIMEOUT_MS,
} from "./limits.ts";
import type { ActionData, ActionParams, SubscribableEvent } from "../protocol/actions.ts";
import type { HelloData } from "../protocol/messages.ts";
import type { EventType } from "../model/event.ts";
import type { ServiceInput } from "../model/service.ts";
import { type CallableAction, type CallOptions, RegistryActions } from "./actions.ts";
import { cancelled, type ConnectionOptions } from "./connection.ts";
import { type EventsOptions, EventStream } from "./events/stream.ts";
import { EventBuffer } from "./events/buffer.ts";
import { type KeepAliveOptions, Lease } from "./lease.ts";
import { LeaseTurns } from "./lease_turns.ts";
import { ReconnectingConnection, type ReconnectingOptions } from "./reconnecting.ts";
import type { ReconnectOptions } from "./backoff.ts";
import { type TokenTransport, type WebSocketConstructor, webSocketUrl } from "./websocket.ts";
import type { ClientClosure, ClientStatus } from "./status.ts";

/** Options for {@linkcode RegistryClient.connect}. */
export interface ConnectOptions {
  /** The token, or a function that returns it; called before every connection. */
  token?: string | (() => string | Promise<string>) | undefined;
  /** How the token is sent. @default {by header where the WebSocket class takes headers} */
  tokenTransport?: TokenTransport | undefined;
  /** The WebSocket class, such as that of `npm:ws`. @default {globalThis.WebSocket} */
  webSocket?: WebSocketConstructor | undefined;
  /** More request headers, where the WebSocket class takes headers. */
  headers?: Record<string, string> | undefined;
  /**
   * Finds out why the server refused a handshake; give it with `webSocket`, with the same TLS settings.
   *
   * @default {the global one, where `webSocket` is left out}
   */
  fetch?: typeof fetch | undefined;
  /** Retries the first connection, too, for a client that may start before the server. @default {false} */
  waitForServer?: boolean | undefined;
  /** Aborts the first connection. `close()` ends a connected client. */
  signal?: AbortSignal | undefined;
  /** Timeout of one attempt to connect. @default {10000} */
  connectTimeoutMs?: number | undefined;
  /** Timeout of a call. @default {30000, and 300000 for service_action} */
  callTimeoutMs?: number | undefined;
  /** How to reconnect when the connection is lost; `false` = not at all. @default {true} */
  reconnect?: boolean | ReconnectOptions | undefined;
  /** Silence after which the connection is probed. @default {45000} */
  idleProbeMs?: number | undefined;
  /** Called on every change of the connection. What it throws becomes an uncaught error. */
  onStatus?: (status: ClientStatus) => void;
}

/**
 * A client of a harness-ws-server.
 *
 * It reconnects by itself with jittered backoff, and its event streams resume. Calls in flight fail with `unavailable`
 * and `details.outcome: "unknown"`, because only the caller knows whether they can be retried.
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
  readonly #reconnectingOptions: ReconnectingOptions;
  /** Carries calls and the first event stream. */
  readonly #main: ReconnectingConnection;
  /** One per further event stream: events/subscription.ts explains why they do not share a connection. */
  readonly #others: Set<ReconnectingConnection> = new Set();
  readonly #leaseTurns: LeaseTurns;

  private constructor(
    options: ConnectOptions,
    reconnectingOptions: ReconnectingOptions,
    main: ReconnectingConnection,
    leaseTurns: LeaseTurns,
  ) {
    super();
    this.#leaseTurns = leaseTurns;
    this.url = reconnectingOptions.url;
    this.#options = options;
    this.#reconnectingOptions = reconnectingOptions;
    this.#main = main;
    this.closed = main.closed.then(async (closure) => {
      await Promise.all([...this.#others].map((other) => other.close(closure.error)));
      return closure;
    });
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
    const leaseTurns = new LeaseTurns();
    const reconnectingOptions: ReconnectingOptions = {
      url: webSocketUrl(url),
      connectionOptions: () => connectionOptions(options),
      reconnect: reconnectOptions(options.reconnect),
      onStatus: (status) => {
        if (status.type === "connected") leaseTurns.wake();
        notify(options, status);
      },
      subscribeTimeoutMs: options.callTimeoutMs,
    };
    const main = options.waitForServer === true
      ? await ReconnectingConnection.connectWithRetry(reconnectingOptions, options.signal)
      : await ReconnectingConnection.connect(reconnectingOptions, options.signal);
    return new RegistryClient(options, reconnectingOptions, main, leaseTurns);
  }

  /** Whether it is connected, reconnecting, or closed. */
  get state(): "connected" | "reconnecting" | "closed" {
    if (this.#main.closure !== null) return "closed";
    return this.#main.connection === null ? "reconnecting" : "connected";
  }

  /** The hello of the current connection, or of the last one. */
  get hello(): HelloData {
    return this.#main.hello;
  }

  /**
   * Calls an action by its name.
   *
   * @throws {HarnessError} The server's error. `unavailable`, `timeout` and `cancelled` have
   * `details.outcome`: `not_sent` or `unknown`.
   */
  override async call<A extends CallableAction>(
    action: A,
    params: ActionParams<A>,
    options: CallOptions = {},
  ): Promise<ActionData<A>> {
    const { signal, waitForConnection } = options;
    const timeoutMs = options.timeoutMs ?? this.#options.callTimeoutMs ??
      (action === "service_action" ? CLIENT_SERVICE_ACTION_TIMEOUT_MS : CLIENT_CALL_TIMEOUT_MS);
    const startedAt = Date.now();
    const connection = waitForConnection === true
      ? await this.#main.nextConnection(timeoutMs, signal)
      : this.#main.connection;
    if (signal?.aborted) throw cancelled(action, signal, "not_sent");
    if (connection === null) throw this.#offline(action);
    const left = Math.max(1, timeoutMs - (Date.now() - startedAt));
    return await connection.request(action, params, { timeoutMs: left, signal });
  }

  /**
   * Streams events from now on (or from `since`) without a gap, also across reconnects.
   *
   * Where missed events are gone on the server, the stream yields a snapshot instead. The first stream shares the
   * connection of the calls; each further one opens its own.
   */
  events<E extends SubscribableEvent = EventType>(
    options: EventsOptions<E> = {},
  ): EventStream<E> {
    const { signal, bufferSize = CLIENT_EVENT_BUFFER, ...rest } = options;
    const buffer = new EventBuffer({ ...rest, bufferSize: Math.max(1, bufferSize) });
    if (this.#main.closure !== null) {
      const error = this.#main.closure.error ?? this.#offline("subscribe");
      buffer.end(error);
      return new EventStream<E>(buffer, Promise.reject(error), () => {});
    }
    const connection = this.#connectionForReader();
    const onAbort = () => stream.close();
    const stream = new EventStream<E>(buffer, connection.subscription.set(buffer), () => {
      signal?.removeEventListener("abort", onAbort);
      connection.subscription.clear(buffer);
      if (connection !== this.#main) connection.close();
    });
    signal?.addEventListener("abort", onAbort);
    if (signal?.aborted) onAbort();
    return stream;
  }

  /**
   * Registers a service (in the place of what an earlier run left) and keeps it `running` by heartbeats, until the
   * lease is released; or does the same for an entry that has a `ttl_ms`, by its name. Without `ttl_ms` the lease is 15 s.
   *
   * It survives lost connections and restarts of the server. When this process dies or hangs, the entry becomes
   * `failed` at the end of its lease.
   *
   * @example Usage
   * ```ts ignore
   * await using lease = await client.keepAlive({
   *   name: "web",
   *   version: "1.0.0",
   *   execution: { type: "managed_process", command: "web" },
   *   endpoints: [{ name: "http", address: "10.0.0.5:8080", protocol: "http" }],
   * });
   * ```
   *
   * @throws {HarnessError} What the server answers; `invalid_params` for an entry without `ttl_ms`.
   */
  async keepAlive(service: ServiceInput | string, options: KeepAliveOptions = {}): Promise<Lease> {
    return await Lease.take(this, this.#leaseTurns, service, options);
  }

  /** Closes the client: its streams and leases end, its calls fail. Idempotent. */
  async close(): Promise<void> {
    await Promise.all([this.#main, ...this.#others].map((connection) => connection.close()));
    await this.closed;
  }

  /** Ends the client, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #connectionForReader(): ReconnectingConnection {
    if (this.#main.subscription.isFree) return this.#main;
    const onStatus = (status: ClientStatus) => {
      // The main connection alone decides about the client's state.
      if (status.type === "resumed" || status.type === "snapshot") {
        this.#reconnectingOptions.onStatus(status);
      }
    };
    const other = ReconnectingConnection.start({ ...this.#reconnectingOptions, onStatus });
    this.#others.add(other);
    other.closed.then(() => this.#others.delete(other));
    return other;
  }

  #offline(action: string): HarnessError {
    const closure = this.#main.closure;
    const then = closure === null
      ? "the client is reconnecting; retry, or set waitForConnection"
      : "the client is closed";
    return new HarnessError("unavailable", `Cannot send "${action}": ${then}`, {
      details: { outcome: "not_sent", action },
      ...(closure?.error ? { cause: closure.error } : {}),
    });
  }
}

async function connectionOptions(options: ConnectOptions): Promise<ConnectionOptions> {
  const { webSocket, tokenTransport, headers, connectTimeoutMs, idleProbeMs, fetch } = options;
  const token = typeof options.token === "function" ? await options.token() : options.token;
  return { webSocket, tokenTransport, headers, fetch, connectTimeoutMs, idleProbeMs, token };
}

/** An error in the callback becomes an uncaught error and does not end the client. */
function notify({ onStatus }: ConnectOptions, status: ClientStatus): void {
  try {
    onStatus?.(status);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

function reconnectOptions(option: ConnectOptions["reconnect"]): ReconnectOptions | null {
  if (option === false) return null;
  return typeof option === "object" ? option : {};
}
