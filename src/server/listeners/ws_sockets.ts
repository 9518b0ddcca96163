/**
 * The WebSockets of `npm:ws`: they bound fragmented messages while they arrive, and a peer can be dropped at once.
 * They deliver about half as many events a second as those of Deno.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
// @ts-types="@types/ws"
import { type WebSocket as WsSocket, WebSocketServer } from "ws";
import { MAX_BUFFERED_CHUNKS, MAX_FRAGMENTS, TERMINATE_AFTER_MS } from "../limits.ts";
import type { ConnectionHandler } from "../handler.ts";
import type { ConnectionEvents, ServerSocket } from "../connection/server_socket.ts";
import type { Admission } from "../access/upgrade.ts";
import type { Sockets, Upgrade } from "./listener.ts";

/** Makes sockets of `npm:ws`. */
export class WsSockets implements Sockets {
  readonly #handler: ConnectionHandler;
  readonly #server: WebSocketServer;
  /** The decision on a request while `ws` upgrades it. */
  readonly #admissions = new WeakMap<IncomingMessage, Admission>();
  /** Those that answered the last ping. */
  readonly #answered = new WeakSet<WsSocket>();
  readonly #encoder = new SharedEncoder();
  readonly #pings: ReturnType<typeof setInterval>;

  /** Starts pinging. */
  constructor(handler: ConnectionHandler) {
    this.#handler = handler;
    this.#server = new WebSocketServer(
      {
        noServer: true,
        maxPayload: handler.limits.maxMessageBytes,
        maxFragments: MAX_FRAGMENTS,
        maxBufferedChunks: MAX_BUFFERED_CHUNKS,
        perMessageDeflate: false,
        clientTracking: true,
        // checkUpgrade() has chosen; ws must not choose again.
        handleProtocols: (_offered: Set<string>, request: IncomingMessage) =>
          this.#admissions.get(request)?.protocol ?? false,
      } as ConstructorParameters<typeof WebSocketServer>[0],
    );
    this.#pings = setInterval(() => this.#pingAll(), handler.limits.pingIntervalMs);
  }

  /** Does the handshake. */
  accept({ request, socket, head, admission }: Upgrade): void {
    this.#admissions.set(request, admission);
    request.headers.upgrade = "websocket"; // ws knows no list of several
    let opened = false;
    socket.once("close", () => {
      if (!opened) this.#handler.abandon(admission);
    });
    this.#server.handleUpgrade(request, socket, head, (ws) => {
      opened = true;
      this.#answered.add(ws);
      ws.on("pong", () => this.#answered.add(ws));
      attach(ws, this.#handler.open(new NodeSocket(ws, this.#encoder), admission));
    });
  }

  /** Stops pinging. */
  close(): void {
    clearInterval(this.#pings);
  }

  /** Pings all peers and drops those that did not answer the last one. */
  #pingAll(): void {
    for (const socket of this.#server.clients) {
      if (this.#answered.delete(socket)) socket.ping();
      else socket.terminate();
    }
  }
}

function attach(ws: WsSocket, connection: ConnectionEvents): void {
  ws.on("message", (data: Buffer, isBinary: boolean) => {
    connection.onMessage(isBinary ? data : data.toString("utf8"));
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  ws.on("close", () => {
    clearTimeout(timer);
    connection.onClose();
  });
  // ws closes the socket itself after an error (1009 for a message too big); the close event follows. Until then
  // it keeps reading, for half a minute if the peer does not close: too long for a flood.
  ws.on("error", () => timer ??= setTimeout(() => ws.terminate(), TERMINATE_AFTER_MS));
}

/** Caches the last text, so that an event is encoded to bytes once for all sockets. */
class SharedEncoder {
  #text = "";
  #bytes: Buffer = Buffer.alloc(0);

  encode(text: string): Buffer {
    if (text !== this.#text) {
      this.#text = text;
      this.#bytes = Buffer.from(text);
    }
    return this.#bytes;
  }
}

/** A socket of `npm:ws`. */
class NodeSocket implements ServerSocket {
  readonly #ws: WsSocket;
  readonly #encoder: SharedEncoder;

  constructor(ws: WsSocket, encoder: SharedEncoder) {
    this.#ws = ws;
    this.#encoder = encoder;
  }

  send(text: string): void {
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    this.#ws.send(this.#encoder.encode(text), { binary: false });
  }

  close(code: number, reason: string, { atOnce = false } = {}): void {
    if (atOnce) this.#ws.terminate();
    else this.#ws.close(code, reason);
  }

  terminate(): void {
    this.#ws.terminate();
  }

  bufferedBytes(): number {
    return this.#ws.bufferedAmount;
  }
}
