/**
 * The client: typed calls, and events that survive the loss of a connection.
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
import { type CallableAction, type CallOptions, RegistryActions } from "./actions.ts";
import { cancelled, type ConnectionOptions } from "./connection.ts";
import { type EventsOptions, EventStream } from "./events/stream.ts";
import { Feed } from "./events/buffer.ts";
import { Link, type LinkOptions } from "./reconnecting.ts";
import type { ReconnectOptions } from "./backoff.ts";
import { type TokenTransport, type WebSocketConstructor, webSocketUrl } from "./websocket.ts";
import type { ClientClosure, ClientStatus } from "./status.ts";

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
  /**
   * Asks the server why it refused a handshake, with the TLS settings of `webSocket`.
   *
   * @default {the global one, where `webSocket` is left out}
   */
  fetch?: typeof fetch;
  /** Tries the first connection as often as later ones, for who starts before the server. @default {false} */
  waitForServer?: boolean;
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
  /** Told of every change of the connection. What it throws becomes an uncaught error. */
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
  readonly #linkOptions: LinkOptions;
  /** Calls, and the first reader of events. */
  readonly #main: Link;
  /** One for each further reader: see client/events/subscription.ts for why they do not share a connection. */
  readonly #others: Set<Link> = new Set();

  private constructor(options: ConnectOptions, linkOptions: LinkOptions, main: Link) {
    super();
    this.url = linkOptions.url;
    this.#options = options;
    this.#linkOptions = linkOptions;
    this.#main = main;
    this.closed = main.closed.then(async (closure) => {
      await Promise.all([...this.#others].map((link) => link.close(closure.error)));
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
    const linkOptions: LinkOptions = {
      url: webSocketUrl(url),
      connectionOptions: () => connectionOptions(options),
      reconnect: reconnectOptions(options.reconnect),
      onStatus: (status) => tell(options, status),
    };
    if (options.callTimeoutMs !== undefined) linkOptions.subscribeTimeoutMs = options.callTimeoutMs;
    const main = options.waitForServer === true
      ? await Link.connectInTheEnd(linkOptions, options.signal)
      : await Link.connect(linkOptions, options.signal);
    return new RegistryClient(options, linkOptions, main);
  }

  /** Whether a connection is there, is being made again, or never will be. */
  get state(): "connected" | "reconnecting" | "closed" {
    if (this.#main.closure !== null) return "closed";
    return this.#main.connection === null ? "reconnecting" : "connected";
  }

  /** What the server said first on the present connection, or on the last one. */
  get hello(): HelloData {
    return this.#main.hello;
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
    const request = { timeoutMs: left, ...(signal === undefined ? {} : { signal }) };
    return await connection.request(action, params, request);
  }

  /**
   * Events from now on (or from `since`), without a gap, also across reconnects.
   *
   * Where events were missed that the server no longer has, the stream gives a snapshot instead and says
   * so. The first stream shares the connection of the calls, each further one opens its own.
   */
  events<E extends SubscribableEvent = EventType>(
    options: EventsOptions<E> = {},
  ): EventStream<E> {
    const { signal, bufferSize = CLIENT_EVENT_BUFFER, ...rest } = options;
    const feed = new Feed({ ...rest, bufferSize: Math.max(1, bufferSize) });
    if (this.#main.closure !== null) {
      const error = this.#main.closure.error ?? this.#offline("subscribe");
      feed.end(error);
      return new EventStream<E>(feed, Promise.reject(error), () => {});
    }
    const link = this.#linkForReader();
    const onAbort = () => stream.close();
    const stream = new EventStream<E>(feed, link.subscriber.set(feed), () => {
      signal?.removeEventListener("abort", onAbort);
      link.subscriber.clear(feed);
      if (link !== this.#main) link.close();
    });
    signal?.addEventListener("abort", onAbort);
    if (signal?.aborted) onAbort();
    return stream;
  }

  /** Ends the client: its streams end, its calls fail. Idempotent. */
  async close(): Promise<void> {
    await Promise.all([this.#main, ...this.#others].map((link) => link.close()));
    await this.closed;
  }

  /** Ends the client, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #linkForReader(): Link {
    if (this.#main.subscriber.isFree) return this.#main;
    const onStatus = (status: ClientStatus) => {
      // The state of the client is that of its main connection.
      if (status.type === "resumed" || status.type === "snapshot") {
        this.#linkOptions.onStatus(status);
      }
    };
    const link = Link.start({ ...this.#linkOptions, onStatus });
    this.#others.add(link);
    link.closed.then(() => this.#others.delete(link));
    return link;
  }

  #offline(action: string): HarnessError {
    const closure = this.#main.closure;
    const then = closure === null
      ? "the client is reconnecting, try again or pass waitForConnection"
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
  return {
    ...(webSocket === undefined ? {} : { webSocket }),
    ...(tokenTransport === undefined ? {} : { tokenTransport }),
    ...(headers === undefined ? {} : { headers }),
    ...(fetch === undefined ? {} : { fetch }),
    ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
    ...(idleProbeMs === undefined ? {} : { idleProbeMs }),
    ...(token === undefined ? {} : { token }),
  };
}

/** What the callback throws becomes an uncaught error, but must not end the client that called it. */
function tell({ onStatus }: ConnectOptions, status: ClientStatus): void {
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
