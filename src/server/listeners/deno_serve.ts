/**
 * The default listener: `Deno.serve` and its own WebSockets.
 *
 * Known limits of these sockets: a peer that stopped reading cannot be
 * dropped (the connection stops queueing for it and keeps counting it), a fragmented message is only
 * bounded after its last fragment, there is no timeout for request headers, and a connection is not seen
 * before its first request, so it cannot be counted or dropped. The `ws` listener has none of them.
 *
 * `Deno.serve` stops accepting for good when it finds no free descriptor. So there can be several servers
 * in a row on the same port: the last one accepts, and the others only serve their open connections.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import {
  DESCRIPTOR_PROBE,
  MAX_CLOSE_DELAY_MS,
  QUIET_BEFORE_CLOSE_MS,
  QUIET_TURNS_BEFORE_CLOSE,
} from "../limits.ts";
import type { ConnectionHandler } from "../handler.ts";
import { errorResponse } from "../http/http_errors.ts";
import type { ConnectionEvents, ServerSocket } from "../connection/server_socket.ts";
import { type Admission, isUpgrade } from "../access/upgrade.ts";
import { DescriptorGuard, type DescriptorReserve } from "./descriptors.ts";
import { type Listener, listenError, type ListenOptions, ownAddress } from "./listener.ts";
import { settleWithin, sleep } from "../../util/async.ts";

/** Listens with `Deno.serve`. */
export function listenDeno(handler: ConnectionHandler, options: ListenOptions): Promise<Listener> {
  try {
    return Promise.resolve(new DenoListener(handler, options));
  } catch (error) {
    return Promise.reject(listenError(options, error));
  }
}

class DenoListener implements Listener {
  readonly port: number;
  readonly #handler: ConnectionHandler;
  readonly #options: ListenOptions;
  readonly #guard: DescriptorGuard;
  /** The servers that still have connections, the one that accepts last. */
  readonly #servers = new Set<OneServer>();
  #closing = false;

  constructor(handler: ConnectionHandler, options: ListenOptions) {
    this.#handler = handler;
    this.port = options.port;
    this.#options = options;
    this.port = this.#listen(options.port).port;
    this.#guard = new DescriptorGuard({
      pause: (reserve) => this.#pause(reserve),
      resume: () => void this.#listen(this.port),
    });
  }

  // Not server.shutdown(): it waits for clients without a timeout, and an abort after it throws.
  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    await this.#guard.close();
    const servers = [...this.#servers];
    await settleWithin(
      Promise.allSettled(servers.flatMap((server) => [...server.underWay])),
      graceMs,
    );
    for (const server of servers) server.abort();
    await Promise.all(servers.map((server) => server.finished));
  }

  #listen(port: number): OneServer {
    const server = new OneServer(this.#handler, { ...this.#options, port });
    this.#servers.add(server);
    void server.finished.then((error) => {
      if (this.#closing) return;
      this.#guard.stopped(error ?? new Error("Deno.serve has ended"));
      // Peers without a request cannot be dropped one by one; they go with the last peer that has one.
      void server.whenUnused().then(() => {
        server.abort();
        this.#servers.delete(server);
      });
    });
    return server;
  }

  /**
   * Only a failed accept makes `Deno.serve` stop accepting without dropping its connections. So connections are
   * opened here until one fails.
   */
  async #pause(reserve: DescriptorReserve): Promise<false> {
    const server = [...this.#servers].at(-1);
    const conns: Deno.Conn[] = [];
    for (let tries = 0; tries < 2 * DESCRIPTOR_PROBE && server?.accepting === true; tries++) {
      try {
        conns.push(await Deno.connect({ hostname: ownAddress(this.#options), port: this.port }));
      } catch {
        reserve.release(1); // not even we got one
      }
      await sleep(0); // lets it accept
    }
    for (const conn of conns) conn.close();
    return false;
  }
}

/** One `Deno.serve`. */
class OneServer {
  readonly port: number;
  /** Requests being answered. */
  readonly underWay = new Set<Promise<Response>>();
  /** Resolves when it stops accepting: with the error that ended it, if there was one. */
  readonly finished: Promise<unknown>;
  readonly #aborter = new AbortController();
  readonly #handler: ConnectionHandler;
  /** Requests whose response is not sent yet, and WebSockets. */
  #used = 0;
  #onUnused = () => {};
  accepting = true;

  constructor(handler: ConnectionHandler, options: ListenOptions) {
    this.#handler = handler;
    const server = Deno.serve({
      hostname: options.hostname,
      port: options.port,
      ...(options.tls ?? {}),
      signal: this.#aborter.signal,
      onListen() {}, // the caller reports the address
      onError: errorResponse, // also for a body that failed halfway, where nobody gets the response
    }, (request, info) => this.#answer(request, info));
    this.port = server.addr.port;
    this.finished = server.finished.then(() => null, (error) => error).finally(() => {
      this.accepting = false;
    });
  }

  /** Resolves when no request is being answered and no WebSocket is open. */
  whenUnused(): Promise<void> {
    return new Promise((resolve) => {
      this.#onUnused = resolve;
      if (this.#used === 0) resolve();
    });
  }

  /** Drops all connections. */
  abort(): void {
    this.#aborter.abort();
  }

  #answer(
    request: Request,
    info: Deno.ServeHandlerInfo<Deno.NetAddr>,
  ): Response | Promise<Response> {
    const address = info.remoteAddr.hostname;
    if (isUpgrade(request)) return this.#upgrade(request, address);
    const done = this.#use();
    void info.completed.then(done, done);
    const response = this.#handler.respond(request, address);
    this.underWay.add(response);
    return response.finally(() => this.underWay.delete(response));
  }

  /** Counts a use of a connection; the returned function takes it back. */
  #use(): () => void {
    this.#used++;
    return () => {
      if (--this.#used === 0) this.#onUnused();
    };
  }

  #upgrade(request: Request, address: string): Response {
    const decision = this.#handler.checkUpgrade(request, address);
    if (!decision.ok) return decision.response;
    const { admission } = decision;
    try {
      spaceProtocols(request.headers);
      const { socket, response } = Deno.upgradeWebSocket(request, {
        ...(admission.protocol === null ? {} : { protocol: admission.protocol }),
        idleTimeout: Math.ceil(this.#handler.limits.pingIntervalMs / 1000),
      });
      attach(socket, this.#handler, { admission, onGone: this.#use() });
      return response;
    } catch {
      this.#handler.abandon(admission);
      return errorResponse(
        new HarnessError(
          "invalid_request",
          "Cannot upgrade: the request is not a WebSocket handshake",
        ),
      );
    }
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

function attach(
  socket: WebSocket,
  handler: ConnectionHandler,
  { admission, onGone: release }: { admission: Admission; onGone: () => void },
): void {
  const wrapped = new DenoSocket(socket);
  let connection: ConnectionEvents | null = null;
  socket.binaryType = "arraybuffer";
  socket.onopen = () => connection = handler.open(wrapped, admission);
  socket.onmessage = (event) => {
    wrapped.onMessage();
    connection?.onMessage(event.data);
  };
  socket.onclose = onGone;
  // An error without a close would leak the slot (https://github.com/denoland/deno/issues/27924).
  socket.onerror = () => {
    if (socket.readyState === WebSocket.CLOSED) onGone();
  };
  let gone = false;
  function onGone(): void {
    if (gone) return;
    gone = true;
    release();
    wrapped.cancelClose();
    if (connection === null) handler.abandon(admission);
    else connection.onClose();
  }
}

/**
 * A socket of `Deno.serve`. It has no `terminate`.
 *
 * A message that arrives after `close()` makes Deno drop the connection, and the client never reads the close
 * reason. So a close waits for a moment without messages, and then for two turns of the event loop: in a process
 * that was suspended, timers fire before the messages that arrived meanwhile.
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

  close(code: number, reason: string, { atOnce = false } = {}): void {
    // Another close may wait already.
    clearTimeout(this.#closeTimer);
    if (atOnce) return this.#closeNow(code, reason);
    const now = performance.now();
    const waitMs = Math.max(0, this.#messageAt + QUIET_BEFORE_CLOSE_MS - now);
    this.#closeBy = Math.min(this.#closeBy, now + MAX_CLOSE_DELAY_MS);
    if ((waitMs > 0 || this.#turns < QUIET_TURNS_BEFORE_CLOSE) && now < this.#closeBy) {
      if (waitMs === 0) this.#turns++;
      this.#closeTimer = setTimeout(() => this.close(code, reason), waitMs);
    } else this.#closeNow(code, reason);
  }

  #closeNow(code: number, reason: string): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.close(code, reason);
  }

  /** The socket is gone. */
  cancelClose(): void {
    clearTimeout(this.#closeTimer);
  }

  bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }
}
