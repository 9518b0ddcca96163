/**
 * The listener for hostile networks: `node:http` and `npm:ws`.
 *
 * It bounds fragmented messages while they arrive, times out slow headers, drops peers at once, and runs
 * in Deno and Node alike. It delivers about half as many events a second as `Deno.serve`.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
// @ts-types="@types/ws"
import { type WebSocket as WsSocket, WebSocketServer } from "ws";
import { HarnessError } from "../../errors.ts";
import { MAX_BUFFERED_CHUNKS, MAX_FRAGMENTS, REQUEST_TIMEOUT_MS } from "../../limits.ts";
import type { ConnectionHandler } from "../handler.ts";
import { errorResponse } from "../http_errors.ts";
import type { ConnectionEvents, ServerSocket } from "../socket.ts";
import type { Admission } from "../upgrade.ts";
import { type Listener, listenError, type ListenOptions } from "./listener.ts";
import { toRequest, writeRawResponse, writeResponse } from "./node_http.ts";

/** Listens with `node:http` and `npm:ws`. */
export async function listenWs(
  handler: ConnectionHandler,
  options: ListenOptions,
): Promise<Listener> {
  const secure = options.tls !== undefined;
  const timeouts = {
    headersTimeout: options.headersTimeoutMs,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: options.headersTimeoutMs / 2,
  };
  let server: Server;
  let open: ReadonlySet<Socket>;
  try {
    server = options.tls === undefined
      ? createHttpServer(timeouts)
      : createHttpsServer({ ...timeouts, ...options.tls });
    open = trackSockets(server);
    await listening(server, options);
  } catch (error) {
    throw listenError(options, error);
  }
  const sockets = webSocketServer(handler);
  server.on("request", (request, response) => void answer(request, response, handler, secure));
  server.on("upgrade", (request, socket, head) => {
    upgrade(request, socket, head, { handler, sockets, secure });
  });
  const pings = setInterval(() => sockets.pingAll(), handler.limits.pingIntervalMs);
  return { port: portOf(server), close: (graceMs) => close(server, open, pings, graceMs) };
}

/** Node's `closeAllConnections()` forgets upgraded sockets, and Deno's those that are idle. */
async function close(
  server: Server,
  open: ReadonlySet<Socket>,
  pings: ReturnType<typeof setInterval>,
  graceMs: number,
): Promise<void> {
  clearInterval(pings);
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => {
    for (const socket of open) socket.destroy();
  }, graceMs);
  await closed;
  clearTimeout(timer);
}

/** The TCP connections of a server, for as long as they are open. */
function trackSockets(server: Server): ReadonlySet<Socket> {
  const open = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
  });
  return open;
}

/** The WebSocket side of a server. */
interface Sockets {
  readonly server: WebSocketServer;
  /** What was decided about a request whose upgrade `ws` is carrying out. */
  readonly admissions: WeakMap<IncomingMessage, Admission>;
  readonly encoder: SharedEncoder;
  /** Pings all peers and drops those that did not answer the last one. */
  pingAll(): void;
}

interface UpgradeContext {
  handler: ConnectionHandler;
  sockets: Sockets;
  secure: boolean;
}

function webSocketServer(handler: ConnectionHandler): Sockets {
  const admissions = new WeakMap<IncomingMessage, Admission>();
  const server = new WebSocketServer(
    {
      noServer: true,
      maxPayload: handler.limits.maxMessageBytes,
      maxFragments: MAX_FRAGMENTS,
      maxBufferedChunks: MAX_BUFFERED_CHUNKS,
      perMessageDeflate: false,
      clientTracking: true,
      // checkUpgrade() has chosen; ws must not choose again.
      handleProtocols: (_offered: Set<string>, request: IncomingMessage) =>
        admissions.get(request)?.protocol ?? false,
    } as ConstructorParameters<typeof WebSocketServer>[0],
  );
  const answered = new WeakSet<WsSocket>();
  server.on("connection", (socket) => {
    answered.add(socket);
    socket.on("pong", () => answered.add(socket));
  });
  return {
    server,
    admissions,
    encoder: new SharedEncoder(),
    pingAll() {
      for (const socket of server.clients) {
        if (answered.delete(socket)) socket.ping();
        else socket.terminate();
      }
    },
  };
}

function upgrade(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  { handler, sockets, secure }: UpgradeContext,
): void {
  // A reset while the handshake is under way must not end the process.
  socket.on("error", () => socket.destroy());
  const asked = toRequest(request, secure);
  if (asked === null) {
    void writeRawResponse(socket, badRequest());
    return;
  }
  const decision = handler.checkUpgrade(asked);
  if (!decision.ok) {
    void writeRawResponse(socket, decision.response);
    return;
  }
  const { admission } = decision;
  sockets.admissions.set(request, admission);
  let opened = false;
  socket.once("close", () => {
    if (!opened) handler.abandon(admission);
  });
  sockets.server.handleUpgrade(request, socket, head, (ws) => {
    opened = true;
    const events = handler.open(new NodeSocket(ws, sockets.encoder), admission);
    attach(ws, events);
    sockets.server.emit("connection", ws, request);
  });
}

function attach(ws: WsSocket, connection: ConnectionEvents): void {
  ws.on("message", (data: Buffer, isBinary: boolean) => {
    connection.onMessage(isBinary ? data : data.toString("utf8"));
  });
  ws.on("close", () => connection.onClose());
  // ws closes the socket itself after an error (1009 for a message too big); the close event follows.
  ws.on("error", () => {});
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  handler: ConnectionHandler,
  secure: boolean,
): Promise<void> {
  const asked = toRequest(request, secure);
  const reply = asked === null ? badRequest() : await handler.respond(asked);
  await writeResponse(response, reply);
}

function badRequest(): Response {
  return errorResponse(
    new HarnessError(
      "invalid_request",
      "Cannot read the request: its method, its Host or its path is malformed",
    ),
  );
}

/** Remembers the last text, so that an event is turned into bytes once for all sockets. */
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

  close(code: number, reason: string): void {
    this.#ws.close(code, reason);
  }

  terminate(): void {
    this.#ws.terminate();
  }

  bufferedBytes(): number {
    return this.#ws.bufferedAmount;
  }
}

function listening(server: Server, { hostname, port }: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
