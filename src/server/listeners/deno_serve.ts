/**
 * The default listener: `Deno.serve` and its own WebSockets.
 *
 * Known limits of these sockets, which the code above lives with: a peer that stopped reading cannot be
 * dropped (the connection stops queueing for it and keeps counting it), a fragmented message is only
 * bounded after its last fragment, and there is no timeout for request headers. The `ws` listener has
 * none of them.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import {
  MAX_CLOSE_DELAY_MS,
  QUIET_BEFORE_CLOSE_MS,
  QUIET_TURNS_BEFORE_CLOSE,
} from "../../limits.ts";
import type { ConnectionHandler } from "../handler.ts";
import { errorResponse } from "../http_errors.ts";
import type { ConnectionEvents, ServerSocket } from "../socket.ts";
import { type Admission, isUpgrade } from "../upgrade.ts";
import { type Listener, listenError, type ListenOptions } from "./listener.ts";

/** Listens with `Deno.serve`. */
export function listenDeno(handler: ConnectionHandler, options: ListenOptions): Promise<Listener> {
  const aborter = new AbortController();
  const underWay = new Set<Promise<Response>>();
  const respond = (request: Request): Promise<Response> => {
    const response = handler.respond(request);
    underWay.add(response);
    return response.finally(() => underWay.delete(response));
  };
  try {
    const server = Deno.serve({
      hostname: options.hostname,
      port: options.port,
      ...(options.tls ?? {}),
      signal: aborter.signal,
      onListen() {}, // who started us says that we listen
    }, (request) => isUpgrade(request) ? upgrade(request, handler) : respond(request));
    return Promise.resolve({
      port: server.addr.port,
      // Not server.shutdown(): it waits for clients for ever, and an abort after it throws.
      async close(graceMs) {
        await settled(underWay, graceMs);
        aborter.abort();
        await server.finished;
      },
    });
  } catch (error) {
    return Promise.reject(listenError(options, error));
  }
}

/** Waits until all promises have settled, `timeoutMs` at most. */
async function settled(promises: Iterable<Promise<unknown>>, timeoutMs: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise((resolve) => timer = setTimeout(resolve, timeoutMs));
  await Promise.race([Promise.allSettled(promises), timeout]);
  clearTimeout(timer);
}

function upgrade(request: Request, handler: ConnectionHandler): Response {
  const decision = handler.checkUpgrade(request);
  if (!decision.ok) return decision.response;
  const { admission } = decision;
  try {
    spaceProtocols(request.headers);
    const { socket, response } = Deno.upgradeWebSocket(request, {
      ...(admission.protocol === null ? {} : { protocol: admission.protocol }),
      idleTimeout: Math.ceil(handler.limits.pingIntervalMs / 1000),
    });
    attach(socket, handler, admission);
    return response;
  } catch {
    handler.abandon(admission);
    return errorResponse(
      new HarnessError("invalid_request", "Cannot upgrade: it is no WebSocket handshake"),
    );
  }
}

/**
 * `Deno.upgradeWebSocket` splits the offered subprotocols at ", " only, but clients such as `npm:ws` join
 * them with "," (RFC 9110 lets spaces be left out): with two offered, it would find none and refuse.
 */
function spaceProtocols(headers: Headers): void {
  const name = "sec-websocket-protocol";
  const spaced = headers.get(name)?.split(",").map((word) => word.trim()).join(", ");
  if (spaced === undefined || spaced === headers.get(name)) return;
  Object.defineProperty(headers, "get", {
    value: (wanted: string) =>
      wanted.toLowerCase() === name ? spaced : Headers.prototype.get.call(headers, wanted),
  });
}

function attach(socket: WebSocket, handler: ConnectionHandler, admission: Admission): void {
  const wrapped = new DenoSocket(socket);
  let connection: ConnectionEvents | null = null;
  socket.binaryType = "arraybuffer";
  socket.onopen = () => connection = handler.open(wrapped, admission);
  socket.onmessage = (event) => {
    wrapped.onMessage();
    connection?.onMessage(event.data);
  };
  socket.onclose = onGone;
  // An error without a close would keep the place for ever (https://github.com/denoland/deno/issues/27924).
  socket.onerror = () => {
    if (socket.readyState === WebSocket.CLOSED) onGone();
  };
  function onGone(): void {
    wrapped.cancelClose();
    if (connection === null) handler.abandon(admission);
    else connection.onClose();
  }
}

/**
 * A socket of `Deno.serve`. It has no `terminate`.
 *
 * A message that arrives after `close()` makes Deno drop the connection, and the client then never reads
 * why it was closed. So a close waits for a moment without messages; and then for two turns of the event loop,
 * because in a process that was held up a timer comes before the messages that arrived meanwhile.
 */
class DenoSocket implements ServerSocket {
  #messageAt = 0;
  #turns = 0;
  readonly #socket: WebSocket;
  #closeBy = Infinity;
  #closeTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  send(text: string): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  /** A message has arrived. */
  onMessage(): void {
    this.#messageAt = performance.now();
    this.#turns = 0;
  }

  close(code: number, reason: string): void {
    const now = performance.now();
    const waitMs = Math.max(0, this.#messageAt + QUIET_BEFORE_CLOSE_MS - now);
    this.#closeBy = Math.min(this.#closeBy, now + MAX_CLOSE_DELAY_MS);
    if ((waitMs > 0 || this.#turns < QUIET_TURNS_BEFORE_CLOSE) && now < this.#closeBy) {
      if (waitMs === 0) this.#turns++;
      this.#closeTimer = setTimeout(() => this.close(code, reason), waitMs);
    } else if (this.#socket.readyState === WebSocket.OPEN) {
      this.#socket.close(code, reason);
    }
  }

  /** The socket is gone: nothing is left to close. */
  cancelClose(): void {
    clearTimeout(this.#closeTimer);
  }

  bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }
}
