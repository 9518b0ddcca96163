/**
 * A connection that comes back: from one {@linkcode Connection} to the next, with its reader.
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
import { Subscriber } from "./events/subscription.ts";
import { sleep } from "../util/async.ts";

/** Options for {@linkcode Link}. */
export interface LinkOptions {
  /** Where the server is. */
  url: string;
  /** How to connect, asked before every attempt: a token may have changed. */
  connectionOptions: () => Promise<ConnectionOptions>;
  /** How to come back; `null` = not at all. */
  reconnect: ReconnectOptions | null;
  /** How long a subscribe may take. */
  subscribeTimeoutMs?: number;
  /** Told of every change. Must not throw. */
  onStatus: (status: ClientStatus) => void;
}

/** The longest delay that timers can do. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Either a connection, or why there is none. */
type Attempted = { connection: Connection; attempt: number } | { error: HarnessError | null };

/** A connection that comes back by itself. */
export class Link {
  /** Its reader. */
  readonly subscriber: Subscriber;
  /** Resolves with how it ended for good. Never rejects. */
  readonly closed: Promise<ClientClosure>;
  readonly #options: LinkOptions;
  readonly #closing: AbortController = new AbortController();
  #connection: Connection | null = null;
  #closure: ClientClosure | null = null;
  #hello: HelloData | null = null;
  readonly #waiters: Set<() => void> = new Set();

  private constructor(options: LinkOptions, first: Connection | null) {
    this.#options = options;
    this.subscriber = new Subscriber({
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

  /** Opens the first connection; fails when that fails. */
  static async connect(options: LinkOptions, signal?: AbortSignal): Promise<Link> {
    const inbox: Inbox = { onEvent: () => {} };
    const first = await open(options, inbox, signal);
    const link = new Link(options, first);
    inbox.onEvent = (message, length) => link.#receive(message, length);
    return link;
  }

  /** Opens the first connection as often as it takes; fails when trying again makes no sense. */
  static async connectInTheEnd(options: LinkOptions, signal?: AbortSignal): Promise<Link> {
    const link = Link.start(options);
    while (link.connection === null && link.closure === null && !signal?.aborted) {
      await link.nextConnection(MAX_TIMER_MS, signal);
    }
    if (link.connection !== null) return link;
    await link.close();
    throw link.closure?.error ?? cancelled("connect", signal, "not_sent");
  }

  /** Opens the first connection in the background, as often as it takes. */
  static start(options: LinkOptions): Link {
    return new Link(options, null);
  }

  /** The present connection, or `null`. */
  get connection(): Connection | null {
    return this.#connection;
  }

  /** What the server said first on the present connection, or on the last one. */
  get hello(): HelloData {
    if (this.#hello === null) throw new TypeError("Cannot read hello before the first connection");
    return this.#hello;
  }

  /** How it ended for good, or `null` while it has not. */
  get closure(): ClientClosure | null {
    return this.#closure;
  }

  /** The present connection, or the next one; `null` when there is none in time. */
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

  /** Ends it; its reader gets the error, or just the end. Idempotent. */
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
      next = await this.#comeBack(closure, wasStable ? 0 : next.attempt);
    }
    return this.#finish(closure, next.error);
  }

  async #comeBack(closure: Closure, attempt: number): Promise<Attempted> {
    const { code, reason } = closure;
    this.#connection = null;
    this.subscriber.detach();
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
    this.subscriber.attach(connection);
    this.#wake();
    // Closed while the handshake was under way.
    if (this.#closing.signal.aborted) connection.close(1000, "client closed");
  }

  #receive(message: EventMessage, length: number): void {
    if (message.event === "server_draining") {
      const { reason, reconnect_after_ms: reconnectAfterMs } = message.data;
      return this.#tell({ type: "draining", reason, reconnectAfterMs });
    }
    this.subscriber.dispatch(message, length);
  }

  #lost({ code, reason }: Closure): HarnessError {
    const why = reason === "" ? "" : ` (${reason})`;
    const message = `The connection to ${this.#options.url} ended with code ${code}${why}`;
    return new HarnessError("unavailable", message, { details: { close_code: code } });
  }

  #finish({ code, reason }: Closure, error: HarnessError | null): ClientClosure {
    const closure: ClientClosure = { code, reason, error };
    this.#closure = closure;
    this.subscriber.end(error);
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

/** Where the events of a connection go. */
interface Inbox {
  onEvent: (message: EventMessage, length: number) => void;
}

async function open(
  options: LinkOptions,
  inbox: Inbox,
  signal: AbortSignal | undefined,
): Promise<Connection> {
  const connectionOptions: ConnectionOptions = {
    ...await options.connectionOptions(),
    onEvent: (message, length) => inbox.onEvent(message, length),
  };
  if (signal !== undefined) connectionOptions.signal = signal;
  return await Connection.open(options.url, connectionOptions);
}
