/**
 * A connection that reconnects: a sequence of {@linkcode Connection}s that share one subscription.
 *
 * @module
 */
import { HarnessError, toHarnessError } from "../errors.ts";
import { CLIENT_CALL_TIMEOUT_MS, CLIENT_STABLE_CONNECTION_MS } from "./limits.ts";
import type { EventMessage, HelloData } from "../protocol/messages.ts";
import { cancelled, Connection, type ConnectionOptions } from "./connection.ts";
import {
  backoffDelayMs,
  type Closure,
  isWorthRetrying,
  type ReconnectOptions,
  requestedDelayMs,
  shouldReconnect,
} from "./backoff.ts";
import type { ClientClosure, ClientStatus } from "./status.ts";
import { Subscription } from "./events/subscription.ts";
import { sleep } from "../util/async.ts";

/** Options for {@linkcode ReconnectingConnection}. */
export interface ReconnectingOptions {
  /** Where the server is. */
  url: string;
  /** How to connect; called before every attempt, because a token may have changed. */
  connectionOptions: () => Promise<ConnectionOptions>;
  /** How to reconnect; `null` = not at all. */
  reconnect: ReconnectOptions | null;
  /** Timeout of a subscribe request. */
  subscribeTimeoutMs?: number | undefined;
  /** Called on every change. Must not throw. */
  onStatus: (status: ClientStatus) => void;
}

/** Longest delay of a timer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** A connection, or why there is none. */
type Attempted = { connection: Connection; attempt: number } | { error: HarnessError | null };

/** A connection that reconnects by itself. */
export class ReconnectingConnection {
  /** The subscription that each connection carries on. */
  readonly subscription: Subscription;
  /** Resolves when it has ended and does not reconnect. Never rejects. */
  readonly closed: Promise<ClientClosure>;
  readonly #options: ReconnectingOptions;
  readonly #closing: AbortController = new AbortController();
  #connection: Connection | null = null;
  #closure: ClientClosure | null = null;
  #hello: HelloData | null = null;
  readonly #waiters: Set<() => void> = new Set();

  private constructor(options: ReconnectingOptions, first: Connection | null) {
    this.#options = options;
    this.subscription = new Subscription({
      timeoutMs: options.subscribeTimeoutMs ?? CLIENT_CALL_TIMEOUT_MS,
      reconnect: options.reconnect ?? {},
      onResumed: ({ how, epoch, seq }) => {
        if (how === "snapshot") this.#tell({ type: "snapshot", epoch, seq });
        else this.#tell({ type: "resumed", epoch, seq, replayed: how === "replayed" });
      },
    });
    if (first !== null) this.#connected(first);
    this.closed = this.#run(first);
  }

  /** Makes one attempt at the first connection. */
  static async connect(
    options: ReconnectingOptions,
    signal?: AbortSignal,
  ): Promise<ReconnectingConnection> {
    const inbox: Inbox = { onEvent: () => {} };
    const first = await open(options, inbox, signal);
    const reconnecting = new ReconnectingConnection(options, first);
    inbox.onEvent = (message, length) => reconnecting.#receive(message, length);
    return reconnecting;
  }

  /** Retries the first connection; fails when a retry cannot help. */
  static async connectWithRetry(
    options: ReconnectingOptions,
    signal?: AbortSignal,
  ): Promise<ReconnectingConnection> {
    const reconnecting = ReconnectingConnection.start(options);
    while (reconnecting.connection === null && reconnecting.closure === null && !signal?.aborted) {
      await reconnecting.nextConnection(MAX_TIMER_MS, signal);
    }
    if (reconnecting.connection !== null) return reconnecting;
    await reconnecting.close();
    throw reconnecting.closure?.error ?? cancelled("connect", signal, "not_sent");
  }

  /** Opens the first connection in the background, with retries. */
  static start(options: ReconnectingOptions): ReconnectingConnection {
    return new ReconnectingConnection(options, null);
  }

  /** The current connection, or `null`. */
  get connection(): Connection | null {
    return this.#connection;
  }

  /** The hello of the current connection, or of the last one. */
  get hello(): HelloData {
    if (this.#hello === null) throw new TypeError("Cannot read hello before the first connection");
    return this.#hello;
  }

  /** How it ended, or `null` while it has not. */
  get closure(): ClientClosure | null {
    return this.#closure;
  }

  /** The current connection, or the next one; `null` after the timeout. */
  async nextConnection(timeoutMs: number, signal?: AbortSignal): Promise<Connection | null> {
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

  /** Closes it; the event stream ends, with the error if there is one. Idempotent. */
  async close(error: HarnessError | null = null): Promise<void> {
    if (!this.#closing.signal.aborted) this.#closing.abort(error);
    await this.#connection?.close(1000, "client closed");
    await this.closed;
  }

  async #run(first: Connection | null): Promise<ClientClosure> {
    let closure: Closure = { code: 1006, reason: "" };
    let next: Attempted = first === null
      ? await this.#tryUntilOpen(0, 0)
      : { connection: first, attempt: 0 };
    while ("connection" in next) {
      if (first !== next.connection) this.#connected(next.connection);
      const openedAt = Date.now();
      closure = await next.connection.closed;
      const wasStable = Date.now() - openedAt >= CLIENT_STABLE_CONNECTION_MS;
      next = await this.#reconnect(closure, wasStable ? 0 : next.attempt);
    }
    return this.#finish(closure, next.error);
  }

  async #reconnect(closure: Closure, attempt: number): Promise<Attempted> {
    const { code, reason } = closure;
    this.#connection = null;
    this.subscription.detach();
    const isClosing = this.#closing.signal.aborted;
    const willReconnect = !isClosing && this.#options.reconnect !== null && shouldReconnect(code);
    this.#tell({ type: "disconnected", code, reason, willReconnect });
    if (isClosing) return { error: this.#closing.signal.reason as HarnessError | null };
    if (!willReconnect) return { error: this.#lost(closure) };
    return await this.#tryUntilOpen(attempt, requestedDelayMs(closure));
  }

  async #tryUntilOpen(firstAttempt: number, leastDelayMs: number): Promise<Attempted> {
    const options = this.#options.reconnect ?? { maxAttempts: 1 };
    const { signal } = this.#closing;
    const isFirstEver = this.#hello === null;
    let error: HarnessError | null = null;
    let leastMs = leastDelayMs;
    for (let tries = 0; !signal.aborted; tries++) {
      if (tries >= (options.maxAttempts ?? Infinity)) return { error };
      const attempt = firstAttempt + tries;
      if (tries > 0 || !isFirstEver) {
        const delayMs = Math.round(leastMs + backoffDelayMs(attempt, options));
        leastMs = 0;
        this.#tell({ type: "reconnecting", attempt: tries + 1, delayMs, error });
        await sleep(delayMs, signal);
        if (signal.aborted) break;
      }
      try {
        const inbox: Inbox = { onEvent: (message, length) => this.#receive(message, length) };
        return { connection: await open(this.#options, inbox, signal), attempt: attempt + 1 };
      } catch (thrown) {
        error = toHarnessError(thrown);
        if (!signal.aborted && !isWorthRetrying(error)) return { error };
      }
    }
    return { error: signal.reason as HarnessError | null };
  }

  #connected(connection: Connection): void {
    this.#hello = connection.hello;
    this.#connection = connection;
    this.#tell({ type: "connected", hello: connection.hello });
    this.subscription.attach(connection);
    this.#wake();
    // Closed during the handshake.
    if (this.#closing.signal.aborted) connection.close(1000, "client closed");
  }

  #receive(message: EventMessage, length: number): void {
    if (message.event === "server_draining") {
      const { reason, reconnect_after_ms: reconnectAfterMs } = message.data;
      return this.#tell({ type: "draining", reason, reconnectAfterMs });
    }
    this.subscription.dispatch(message, length);
  }

  #lost({ code, reason }: Closure): HarnessError {
    const why = reason === "" ? "" : ` (${reason})`;
    const message = `Lost the connection to ${this.#options.url}: code ${code}${why}`;
    return new HarnessError("unavailable", message, { details: { close_code: code } });
  }

  #finish({ code, reason }: Closure, error: HarnessError | null): ClientClosure {
    const closure: ClientClosure = { code, reason, error };
    this.#closure = closure;
    this.subscription.end(error);
    this.#wake();
    this.#tell({ type: "closed", closure });
    return closure;
  }

  #wake(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }

  #tell(status: ClientStatus): void {
    this.#options.onStatus(status);
  }
}

/** Receives the events of a connection. */
interface Inbox {
  onEvent: (message: EventMessage, length: number) => void;
}

async function open(
  options: ReconnectingOptions,
  inbox: Inbox,
  signal: AbortSignal | undefined,
): Promise<Connection> {
  return await Connection.open(options.url, {
    ...await options.connectionOptions(),
    onEvent: (message, length) => inbox.onEvent(message, length),
    signal,
  });
}
