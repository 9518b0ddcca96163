/**
 * The WebSockets of Deno, on connections that `node:http` has accepted.
 *
 * Known limits of these sockets: a peer that stopped reading cannot be dropped (the connection stops queueing for
 * it and keeps counting it), and a fragmented message is only bounded after its last fragment. Those of `npm:ws`
 * have neither.
 *
 * @module
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { MAX_CLOSE_DELAY_MS, QUIET_BEFORE_CLOSE_MS, QUIET_TURNS_BEFORE_CLOSE } from "../limits.ts";
import type { ConnectionHandler } from "../handler.ts";
import type { ConnectionEvents, ServerSocket } from "../connection/server_socket.ts";
import type { Admission } from "../access/upgrade.ts";
import type { Sockets, Upgrade } from "./listener.ts";

/** Makes sockets of Deno. */
export class DenoSockets implements Sockets {
  readonly #handler: ConnectionHandler;
  readonly #idleTimeout: number;

  /** Deno pings by itself. */
  constructor(handler: ConnectionHandler) {
    this.#handler = handler;
    this.#idleTimeout = Math.ceil(handler.limits.pingIntervalMs / 1000);
  }

  /** Does the handshake. From then on Deno has the connection, and `socket` is closed without an event. */
  accept({ request, socket, head, admission, peers }: Upgrade): void {
    const forget = peers.handOver(request.socket);
    const onGone = () => {
      forget();
      socket.destroy(); // where Deno has not come to take it
    };
    const { protocol } = admission;
    stopReading(socket);
    try {
      const upgrade = Deno.upgradeWebSocket(handshake(request.headers, protocol), {
        ...(protocol === null ? {} : { protocol }),
        idleTimeout: this.#idleTimeout,
        socket: socket as Socket,
        head,
      });
      restartIdleTimerRarely(upgrade.socket, this.#idleTimeout * 250);
      attach(upgrade.socket, this.#handler, { admission, onGone });
    } catch {
      this.#handler.abandon(admission);
      onGone(); // it had gone already: the request was checked before
    }
  }

  /** Nothing is done at intervals. */
  close(): void {}
}

/**
 * Deno takes the connection from `node:net` only when the 101 has been written. What a quick client answers to that
 * must not be read before: it would be lost. `pause()` alone goes on reading into a buffer.
 */
function stopReading(socket: Duplex): void {
  socket.pause();
  (socket as { _handle?: { readStop?(): unknown } })._handle?.readStop?.();
}

/** The part of a request that the handshake depends on: Deno would choose among the subprotocols again. */
function handshake(headers: IncomingHttpHeaders, protocol: string | null): Request {
  return new Request("http://localhost/", {
    headers: {
      connection: "upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": headers["sec-websocket-key"] ?? "",
      ...(protocol === null ? {} : { "sec-websocket-protocol": protocol }),
    },
  });
}

/** The method by which a WebSocket of Deno sets its idle timer anew: at every message and pong. */
const RESTART_IDLE_TIMER = Object.getOwnPropertySymbols(globalThis.WebSocket?.prototype ?? {})
  .find(({ description }) => description === "[[serverHandleIdleTimeout]]");

/**
 * Lets a socket set its idle timer anew at most once in a second (or in `maxMs`): a new timer for each message is a tenth
 * of the work of a small request. It sends a ping after half its idle timeout, so what comes after that always counts.
 * Where Deno names the method otherwise, all stays as it is.
 */
function restartIdleTimerRarely(socket: WebSocket, maxMs: number): void {
  if (RESTART_IDLE_TIMER === undefined) return;
  const own = socket as unknown as Record<symbol, unknown>;
  const restart = own[RESTART_IDLE_TIMER];
  if (typeof restart !== "function") return;
  const everyMs = Math.min(1000, maxMs);
  let last = 0;
  own[RESTART_IDLE_TIMER] = () => {
    const now = Date.now();
    if (now >= last && now < last + everyMs) return;
    last = now;
    restart.call(socket);
  };
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
  // An error without a close would leak the slot (https://github.com/denoland/deno/issues/27924): one before the
  // socket is open, when the peer has left before the 101, or one of a closed socket.
  socket.onerror = () => {
    if (connection === null || socket.readyState === WebSocket.CLOSED) onGone();
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
 * A WebSocket of Deno. It has no `terminate`.
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
