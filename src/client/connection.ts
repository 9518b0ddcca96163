/**
 * One WebSocket connection: from the handshake to its end, requests matched with responses.
 *
 * {@linkcode Connection.open} resolves after the server's hello, {@linkcode Connection.closed} at its end. It neither
 * subscribes nor reconnects.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import {
  CLIENT_CLOSE_TIMEOUT_MS,
  CLIENT_CONNECT_TIMEOUT_MS,
  CLIENT_ERROR_GRACE_MS,
  CLIENT_IDLE_PROBE_MS,
  CLIENT_PROBE_TIMEOUT_MS,
  MAX_CLIENT_PENDING_CALLS,
} from "./limits.ts";
import type { Action, ActionData, ActionParams } from "../protocol/actions.ts";
import type { EventMessage, HelloData, ServerMessage } from "../protocol/messages.ts";
import {
  decodeServerMessage,
  handshakeError,
  harnessErrorOf,
  statusError,
  statusIn,
  uncertainRefusal,
} from "./decode.ts";
import { isBusy, needsAnswer } from "./http_answer.ts";
import { isSilent, probeHandshake, UPGRADE_REQUIRED } from "./handshake_probe.ts";
import type { Closure } from "./backoff.ts";
import { formatDuration, isLarger } from "../util/units.ts";
import { openSocket, type SocketOptions, type WebSocketLike } from "./websocket.ts";

/** Options for {@linkcode Connection.open}. */
export interface ConnectionOptions extends SocketOptions {
  /** Timeout of handshake and hello. @default {10000} */
  connectTimeoutMs?: number | undefined;
  /** Aborts opening. It does not end an open connection. */
  signal?: AbortSignal | undefined;
  /** Silence after which the server is probed. @default {45000} */
  idleProbeMs?: number | undefined;
  /** Called for every event but hello, in order, with the length of its JSON. Must not throw. */
  onEvent?: (message: EventMessage, length: number) => void;
}

/** Options for {@linkcode Connection.request}. */
export interface RequestOptions<A extends Action> {
  /** Stops waiting for the response. */
  signal?: AbortSignal | undefined;
  /** Timeout. */
  timeoutMs: number;
  /** Called with the data before the next frame is handled, so that no event is missed. */
  onData?: (data: ActionData<A>) => void;
}

interface PendingCall {
  readonly action: Action;
  resolve(data: unknown): void;
  reject(error: HarnessError): void;
}

/** One connection to a server. */
export class Connection {
  readonly #socket: WebSocketLike;
  readonly #onEvent: (message: EventMessage, length: number) => void;
  readonly #pending: Map<string, PendingCall> = new Map();
  readonly #idleProbeMs: number;
  #nextId = 1;
  #hello: HelloData | undefined;
  #reconnectAfterMs: number | undefined;
  #lastError = "";
  #heardAt = Date.now();
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  #errorTimer: ReturnType<typeof setTimeout> | undefined;
  #closure: Closure | undefined;
  #resolveClosed: (closure: Closure) => void = () => {};
  #helloArrived: () => void = () => {};
  /** Resolves with how the connection ended. Never rejects. */
  readonly closed: Promise<Closure>;

  private constructor(socket: WebSocketLike, options: ConnectionOptions) {
    this.#socket = socket;
    this.#onEvent = options.onEvent ?? (() => {});
    this.#idleProbeMs = options.idleProbeMs ?? CLIENT_IDLE_PROBE_MS;
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
    socket.addEventListener("message", (event) => this.#receive((event as MessageEvent).data));
    socket.addEventListener("error", (event) => {
      this.#lastError = (event as { message?: string }).message ?? "";
      if (this.#closure !== undefined) return;
      this.#errorTimer ??= setTimeout(() => this.#abandon(this.#lastError), CLIENT_ERROR_GRACE_MS);
    });
    socket.addEventListener("close", (event) => {
      const { code, reason } = event as { code?: number; reason?: string };
      this.#end(code === undefined || code === 0 ? 1006 : code, reason || this.#lastError);
    });
  }

  /**
   * Opens a connection and waits for its hello.
   *
   * @throws {HarnessError} `unreachable`, `unauthorized`, `forbidden`, `unavailable`, `timeout`,
   * `cancelled`, or `invalid_request` when the other side does not speak `harness.v1`.
   */
  static async open(url: string, options: ConnectionOptions = {}): Promise<Connection> {
    if (options.signal?.aborted) throw cancelled("connect", options.signal);
    const timeoutMs = options.connectTimeoutMs ?? CLIENT_CONNECT_TIMEOUT_MS;
    let socket: WebSocketLike;
    try {
      socket = openSocket(url, options);
    } catch (error) {
      if (error instanceof HarnessError) throw error;
      throw new HarnessError("invalid_params", `Cannot connect to ${url}: ${String(error)}`, {
        cause: error,
      });
    }
    const connection = new Connection(socket, options);
    let timer: ReturnType<typeof setTimeout> | undefined;
    let onAbort = () => {};
    const settled = new AbortController();
    try {
      await new Promise<void>((resolve, reject) => {
        connection.#helloArrived = resolve;
        connection.closed.then((closure) => refused(url, closure, options, settled.signal))
          .then(reject);
        onAbort = () => reject(cancelled("connect", options.signal));
        options.signal?.addEventListener("abort", onAbort);
        timer = setTimeout(() => {
          const message = `Cannot connect to ${url}: no response within ${
            formatDuration(timeoutMs)
          }`;
          reject(new HarnessError("timeout", message));
        }, timeoutMs);
      });
    } catch (error) {
      connection.#abandon("handshake aborted");
      throw error;
    } finally {
      clearTimeout(timer);
      settled.abort();
      options.signal?.removeEventListener("abort", onAbort);
    }
    connection.#watchIdle();
    return connection;
  }

  /** The server's hello. */
  get hello(): HelloData {
    if (this.#hello === undefined) throw new TypeError("Cannot read hello before it has arrived");
    return this.#hello;
  }

  /** Whether it has ended. */
  get isClosed(): boolean {
    return this.#closure !== undefined;
  }

  /**
   * Sends a request and waits for its response.
   *
   * @throws {HarnessError} The server's error; `unavailable` when there is no connection or it is lost, `timeout`, or
   * `cancelled`, with `details.outcome`: `not_sent`, or `unknown` when it may have been applied.
   */
  request<A extends Action>(
    action: A,
    params: ActionParams<A>,
    options: RequestOptions<A>,
  ): Promise<ActionData<A>> {
    const { signal, timeoutMs } = options;
    if (signal?.aborted) return Promise.reject(cancelled(action, signal, "not_sent"));
    if (this.#closure !== undefined) return Promise.reject(this.#notSent(action));
    if (this.#pending.size >= MAX_CLIENT_PENDING_CALLS) {
      return Promise.reject(
        new HarnessError(
          "rate_limited",
          `Cannot send "${action}": too many calls in flight (limit ${MAX_CLIENT_PENDING_CALLS})`,
          { details: { outcome: "not_sent" } },
        ),
      );
    }
    const id = String(this.#nextId++);
    const text = JSON.stringify({ id, type: "request", action, params });
    const maxBytes = this.hello.limits["max_message_bytes"];
    if (maxBytes !== undefined && isLarger(text, maxBytes)) {
      // The server would close the connection, and every other call on it would fail.
      const message =
        `Cannot send "${action}": the request exceeds the server's limit of ${maxBytes} bytes`;
      return Promise.reject(
        new HarnessError("too_large", message, { details: { outcome: "not_sent" } }),
      );
    }
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void) => {
        this.#pending.delete(id);
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        finish();
      };
      const fail = (error: HarnessError) => settle(() => reject(error));
      const onAbort = () => fail(cancelled(action, signal));
      const timer = setTimeout(() => fail(timedOut(action, timeoutMs)), timeoutMs);
      signal?.addEventListener("abort", onAbort);
      const succeed = (data: unknown) =>
        settle(() => {
          options.onData?.(data as ActionData<A>);
          resolve(data as ActionData<A>);
        });
      this.#pending.set(id, { action, resolve: succeed, reject: fail });
      try {
        this.#socket.send(text);
      } catch (error) {
        fail(this.#notSent(action, error));
      }
    });
  }

  /** Closes the connection and waits briefly for the server's close frame. */
  async close(code = 1000, reason = ""): Promise<Closure> {
    if (this.#closure === undefined) {
      this.#closeSocket(code, reason);
      const timer = setTimeout(() => this.#abandon("no close frame"), CLIENT_CLOSE_TIMEOUT_MS);
      this.closed.finally(() => clearTimeout(timer));
    }
    return await this.closed;
  }

  #receive(data: unknown): void {
    if (this.#closure !== undefined) return;
    this.#heardAt = Date.now();
    const message = typeof data === "string" ? decodeServerMessage(data) : null;
    if (message === null) return this.#refuse("a frame is not a harness.v1 message");
    if (this.#hello !== undefined) return this.#dispatch(message, (data as string).length);
    if (message.type !== "event" || message.event !== "hello") {
      return this.#refuse("the first frame is not hello");
    }
    if (message.data?.protocol?.version !== 1) {
      return this.#refuse("the server uses another protocol version");
    }
    this.#hello = message.data;
    this.#helloArrived();
  }

  #dispatch(message: ServerMessage, length: number): void {
    if (message.type === "event") {
      if (message.event === "server_draining") {
        this.#reconnectAfterMs = message.data.reconnect_after_ms;
      }
      return this.#onEvent(message, length);
    }
    const call = message.id === null ? undefined : this.#pending.get(message.id);
    // A response after an abort or a timeout is dropped.
    if (call === undefined) return;
    if ("error" in message) call.reject(harnessErrorOf(message.error));
    else call.resolve(message.data);
  }

  #refuse(why: string): void {
    this.#closeSocket(1000, why);
    this.#end(1002, why);
  }

  #abandon(why: string): void {
    this.#closeSocket(1000, "");
    this.#socket.terminate?.();
    this.#end(1006, why);
  }

  #closeSocket(code: number, reason: string): void {
    try {
      this.#socket.close(code, reason);
    } catch {
      // Never opened, or closed already.
    }
  }

  #end(code: number, reason: string): void {
    if (this.#closure !== undefined) return;
    const closure: Closure = { code, reason };
    if (this.#reconnectAfterMs !== undefined) closure.reconnectAfterMs = this.#reconnectAfterMs;
    this.#closure = closure;
    clearTimeout(this.#idleTimer);
    clearTimeout(this.#errorTimer);
    for (const call of [...this.#pending.values()]) {
      call.reject(outcomeUnknown(call.action, closure));
    }
    this.#resolveClosed(closure);
  }

  /** Watchdog: detects a peer that vanished without a close frame. */
  #watchIdle(): void {
    if (this.#closure !== undefined) return;
    const silentMs = Date.now() - this.#heardAt;
    if (silentMs < this.#idleProbeMs) {
      this.#idleTimer = setTimeout(() => this.#watchIdle(), this.#idleProbeMs - silentMs);
      return;
    }
    const options = { timeoutMs: Math.min(CLIENT_PROBE_TIMEOUT_MS, this.#idleProbeMs) };
    this.request("list_services", { limit: 1 }, options).catch((error: HarnessError) => {
      if (error.code === "timeout") this.#abandon("the server stopped responding");
    }).finally(() => this.#watchIdle());
  }

  #notSent(action: Action, cause?: unknown): HarnessError {
    return new HarnessError(
      "unavailable",
      `Cannot send "${action}": not connected; retry after the reconnect`,
      { details: { outcome: "not_sent", action }, cause },
    );
  }
}

/** Why a handshake failed: as the runtime reports it, or else as the server responds to a plain HTTP request. */
async function refused(
  url: string,
  closure: Closure,
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<HarnessError> {
  const error = handshakeError(url, closure);
  const status = statusIn(closure.reason);
  // Over TLS it may be the status of a second handshake, over HTTP/2, which proxies answer otherwise.
  const isVague = status !== null && !isBusy(status) &&
    (url.startsWith("wss:") || needsAnswer(status));
  const isKnown = closure.code === 1002 || (status !== null && !isVague);
  // After hello, nobody waits for this error.
  if (isKnown || signal.aborted) return error;
  const answer = await probeHandshake(url, options, signal);
  // A proxy that cannot reach the server refuses with 502, and a second handshake over HTTP/2 with this.
  const isSecond = status !== null && url.startsWith("wss:") && status >= 400 &&
    error.code === "invalid_request" && triesTwice(options);
  if (answer === null || !("status" in answer)) {
    if (isSecond) return uncertainRefusal(url, status);
    return answer === null || isVague ? error : handshakeError(url, closure, answer);
  }
  const isBack = isSecond && answer.status === UPGRADE_REQUIRED;
  return isVague && isSilent(answer.status) && !isBack ? error : statusError(url, answer);
}

/** Whether the WebSocket class tries a refused handshake again over HTTP/2 and reports that: Deno's own does. */
function triesTwice({ webSocket }: ConnectionOptions): boolean {
  const agent = (globalThis as { navigator?: { userAgent?: string } }).navigator?.userAgent ?? "";
  return agent.startsWith("Deno/") &&
    (webSocket === undefined || webSocket === WebSocket ||
      webSocket.prototype instanceof WebSocket);
}

function outcomeUnknown(action: Action, closure: Closure): HarnessError {
  const why = closure.reason === "" ? `code ${closure.code}` : `${closure.code} ${closure.reason}`;
  return new HarnessError(
    "unavailable",
    `Lost the connection during "${action}" (${why}). It may have been applied: check the state before retrying.`,
    { details: { outcome: "unknown", action, close_code: closure.code } },
  );
}

function timedOut(action: Action, timeoutMs: number): HarnessError {
  return new HarnessError(
    "timeout",
    `"${action}" timed out after ${formatDuration(timeoutMs)} and may have been applied. ` +
      "Check the state before retrying.",
    { details: { outcome: "unknown", action } },
  );
}

/** The error of an aborted call. */
export function cancelled(
  what: string,
  signal: AbortSignal | undefined,
  outcome: "unknown" | "not_sent" = "unknown",
): HarnessError {
  return new HarnessError("cancelled", `"${what}" was aborted by the caller`, {
    details: { outcome },
    cause: signal?.reason,
  });
}
