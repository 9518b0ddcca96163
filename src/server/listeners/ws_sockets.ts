/**
 * The WebSockets of `npm:ws`: they bound fragmented messages while they arrive, and a peer can be dropped at once.
 * What they send goes past the library, in joined frames (`frame_writer.ts`); all else is the library's.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
// @ts-types="@types/ws"
import { WebSocket as WsSocket, WebSocketServer } from "ws";
import {
  MAX_BUFFERED_CHUNKS,
  MAX_FRAGMENTS,
  MAX_UNFINISHED_BYTES,
  TERMINATE_AFTER_MS,
} from "../limits.ts";
import { CLOSE_CODES } from "../../protocol/messages.ts";
import type { Gate } from "../gate.ts";
import { makeClients } from "../clients.ts";
import type { ConnectionEvents, Recipients, ServerSocket } from "../connection/server_socket.ts";
import { runtimeName } from "../../util/node/runtime.ts";
import { readTexts } from "./frame_reader.ts";
import { FrameQueue, FrameWriter } from "./frame_writer.ts";
import { SharedReads } from "./shared_reads.ts";
import type { Sockets, Upgrade } from "./listener.ts";
import { UnfinishedMessages } from "./unfinished.ts";

/** Makes sockets of `npm:ws`. */
export class WsSockets implements Sockets {
  readonly #handler: Gate;
  readonly #server: WebSocketServer;
  /** Those that answered the last ping. */
  readonly #answered = new WeakSet<WsSocket>();
  readonly #frames = new FrameWriter();
  readonly #reads = new SharedReads();
  readonly #unfinished = new UnfinishedMessages<WsSocket>(MAX_UNFINISHED_BYTES, refuse);
  readonly #pings: ReturnType<typeof setInterval>;

  /** Starts pinging. */
  constructor(handler: Gate) {
    this.#handler = handler;
    handler.serveWith(makeClients);
    this.#server = new WebSocketServer(
      {
        noServer: true,
        WebSocket: FlushingSocket,
        maxPayload: handler.limits.maxMessageBytes,
        maxFragments: MAX_FRAGMENTS,
        maxBufferedChunks: MAX_BUFFERED_CHUNKS,
        perMessageDeflate: false,
        clientTracking: true,
      } as ConstructorParameters<typeof WebSocketServer>[0],
    );
    this.#pings = setInterval(() => this.#pingAll(), handler.limits.pingIntervalMs);
  }

  /** Does the handshake. */
  accept({ request, socket, head, admission }: Upgrade): void {
    request.headers.upgrade = "websocket"; // ws knows no list of several
    offerOnly(request, admission.protocol);
    let opened = false;
    socket.once("close", () => {
      if (!opened) this.#handler.abandon(admission);
    });
    this.#server.handleUpgrade(request, socket, head, (ws) => {
      opened = true;
      this.#answered.add(ws);
      ws.on("pong", () => this.#answered.add(ws));
      const connection = this.#handler.open(socketOf(ws, socket, this.#frames), admission);
      // The hello, before anything is read: `ws` answers a ping at once.
      if (ws instanceof FlushingSocket) ws.flush();
      attach(ws, connection);
      readTexts(ws, socket, {
        maxBytes: this.#handler.limits.maxMessageBytes,
        onText: (text) => connection.onMessage(text),
        onUnfinished: (bytes) => {
          if (ws.readyState === ws.OPEN) this.#unfinished.set(ws, bytes);
        },
        reads: this.#reads,
      });
      ws.on("close", () => this.#unfinished.set(ws, 0));
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

/** checkUpgrade() has chosen; ws must not choose again, nor refuse a list with an empty or a repeated word. */
function offerOnly({ headers }: IncomingMessage, protocol: string | null): void {
  if (protocol === null) delete headers["sec-websocket-protocol"];
  else headers["sec-websocket-protocol"] = protocol;
}

/** Nothing more of it is read, so that it holds no more. */
function refuse(ws: WsSocket): void {
  ws.close(CLOSE_CODES.rate_limited, "too many messages at once: send fewer");
  ws.pause();
  const timer = setTimeout(() => ws.terminate(), TERMINATE_AFTER_MS);
  ws.once("close", () => clearTimeout(timer));
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

/** A WebSocket that can send what is queued in front of it before its close frame, also in answer to the peer's. */
class FlushingSocket extends WsSocket {
  /** Sends it. */
  flush: () => void = () => {};

  override close(code?: number, reason?: string | Buffer): void {
    if (this.readyState === this.OPEN) this.flush();
    super.close(code, reason);
  }
}

/** In Bun, `ws` is Bun's own, with a socket that cannot be written to. */
function socketOf(ws: WsSocket, socket: Duplex, frames: FrameWriter): ServerSocket {
  return ws instanceof FlushingSocket && runtimeName() !== "bun"
    ? new FramedSocket(ws, new FrameQueue(frames, socket))
    : new NodeSocket(ws);
}

/** A socket of `npm:ws`. */
class NodeSocket implements ServerSocket {
  protected readonly ws: WsSocket;

  constructor(ws: WsSocket) {
    this.ws = ws;
  }

  send(text: string, _recipients?: Recipients): void {
    if (this.ws.readyState === this.ws.OPEN) this.ws.send(text);
  }

  close(code: number, reason: string, { atOnce = false } = {}): void {
    if (atOnce) this.ws.terminate();
    else this.ws.close(code, reason);
  }

  terminate(): void {
    this.ws.terminate();
  }

  bufferedBytes(): number {
    return this.ws.bufferedAmount;
  }
}

/** The same, its text frames written past the library, to the connection that the library writes its own to. */
class FramedSocket extends NodeSocket {
  readonly #queue: FrameQueue;

  constructor(ws: FlushingSocket, queue: FrameQueue) {
    super(ws);
    this.#queue = queue;
    ws.flush = () => queue.write();
  }

  override send(text: string, recipients: Recipients = "one"): void {
    if (this.ws.readyState === this.ws.OPEN) this.#queue.add(text, recipients);
  }

  override bufferedBytes(): number {
    return this.ws.bufferedAmount + this.#queue.bytes;
  }
}
