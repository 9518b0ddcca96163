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
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
// @ts-types="@types/ws"
import { type WebSocket as WsSocket, WebSocketServer } from "ws";
import { HarnessError } from "../../errors.ts";
import {
  ACCEPT_BURST,
  ACCEPT_CHECK_TURNS,
  ACCEPT_TRY_INTERVAL_MS,
  ACCEPT_TURN_MS,
  DESCRIPTOR_HEADROOM,
  EXTRA_TCP_CONNECTIONS,
  MAX_BUFFERED_CHUNKS,
  MAX_FRAGMENTS,
  REQUEST_TIMEOUT_MS,
  TERMINATE_AFTER_MS,
} from "../limits.ts";
import type { ConnectionHandler } from "../handler.ts";
import { errorResponse } from "../http/http_errors.ts";
import type { ConnectionEvents, ServerSocket } from "../connection/server_socket.ts";
import type { Admission } from "../access/upgrade.ts";
import {
  DescriptorGuard,
  descriptorLimit,
  DescriptorReserve,
  descriptorsInUse,
  isExhaustion,
} from "./descriptors.ts";
import { type Listener, listenError, type ListenOptions, ownAddress } from "./listener.ts";
import { toRequest, writeRawResponse, writeResponse } from "./node_http.ts";
import { TcpPeers } from "./tcp_peers.ts";
import { sleep } from "../../util/async.ts";

/** Listens with `node:http` and `npm:ws`. */
export async function listenWs(
  handler: ConnectionHandler,
  options: ListenOptions,
): Promise<Listener> {
  const timeouts = {
    headersTimeout: options.headersTimeoutMs,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: options.headersTimeoutMs / 2,
  };
  let server: Server;
  let peers: TcpPeers | undefined;
  try {
    server = options.tls === undefined
      ? createHttpServer(timeouts)
      : createHttpsServer({ ...timeouts, ...options.tls });
    peers = watchPeers(server, handler, options);
    await listening(server, options);
  } catch (error) {
    peers?.close();
    throw listenError(options, error);
  }
  const context: ServeContext = {
    handler,
    peers,
    sockets: webSocketServer(handler),
    secure: options.tls !== undefined,
  };
  server.on("request", (request, response) => void answer(request, response, context));
  server.on("upgrade", (request, socket, head) => upgrade(request, socket, head, context));
  return new WsListener(server, context, options);
}

/** Bounds the TCP connections of a server. */
function watchPeers(
  server: Server,
  handler: ConnectionHandler,
  options: ListenOptions,
): TcpPeers {
  const peers = new TcpPeers({
    maxTotal: maxTcpConnections(handler.limits.maxConnections),
    maxOf: (address) => handler.maxConnectionsOf(address),
    idleMs: options.headersTimeoutMs,
  });
  server.on("connection", (socket: Socket) => peers.add(socket));
  return peers;
}

/** Descriptors that clients may use: all but those in use now, the reserve and some headroom. */
function maxTcpConnections(maxConnections: number): number {
  const wanted = maxConnections + EXTRA_TCP_CONNECTIONS;
  const limit = descriptorLimit();
  const used = descriptorsInUse();
  if (limit === null || used === null) return wanted;
  const free = limit - used - new DescriptorReserve(limit).size - DESCRIPTOR_HEADROOM;
  return Math.max(1, Math.min(wanted, free));
}

class WsListener implements Listener {
  readonly port: number;
  readonly #server: Server;
  readonly #context: ServeContext;
  readonly #guard: DescriptorGuard;
  readonly #pings: ReturnType<typeof setInterval>;
  /** Accepted connections at the last poll. */
  #acceptedBefore = 0;
  /** When accepting was last tried. */
  #triedAt = performance.now();

  constructor(server: Server, context: ServeContext, options: ListenOptions) {
    this.#server = server;
    this.#context = context;
    this.port = portOf(server);
    const { handler, sockets, peers } = context;
    this.#pings = setInterval(() => sockets.pingAll(), handler.limits.pingIntervalMs);
    this.#guard = new DescriptorGuard({
      isAlive: () => this.#isAlive(options),
      // Established connections are kept, except idle HTTP ones.
      pause() {
        server.close();
        peers.dropIdle();
        return true;
      },
      resume: () => listening(server, { ...options, port: this.port }),
    });
  }

  /**
   * Whether connections are still accepted. On Deno a `node:http` server stops accepting for good, without an
   * event, when an accept fails without a free descriptor (EMFILE). So it is probed by a connection of our own:
   * after every burst, and at least every {@linkcode ACCEPT_TRY_INTERVAL_MS}.
   */
  async #isAlive(options: ListenOptions): Promise<boolean> {
    const { peers } = this.#context;
    const burst = peers.accepted - this.#acceptedBefore >= ACCEPT_BURST;
    this.#acceptedBefore = peers.accepted;
    const isDue = performance.now() - this.#triedAt >= ACCEPT_TRY_INTERVAL_MS;
    if (!burst && !isDue) return true;
    let error: unknown = null;
    const probe = connect({ host: ownAddress(options), port: this.port });
    probe.on("error", (thrown) => error = thrown);
    // Turns of the event loop, not time: after a suspension timers fire before pending accepts.
    for (let turn = 0; turn < ACCEPT_CHECK_TURNS && error === null; turn++) {
      if (peers.accepted > this.#acceptedBefore) break;
      await sleep(ACCEPT_TURN_MS);
    }
    probe.destroy();
    this.#triedAt = performance.now();
    return isExhaustion(error) || peers.accepted > this.#acceptedBefore;
  }

  /** Node's `closeAllConnections()` forgets upgraded sockets, and Deno's those that are idle. */
  async close(graceMs: number): Promise<void> {
    const { peers } = this.#context;
    await this.#guard.close();
    clearInterval(this.#pings);
    const closed = this.#server.listening
      ? new Promise<void>((resolve) => this.#server.close(() => resolve()))
      : Promise.resolve();
    peers.dropIdle();
    const timer = setTimeout(() => peers.dropAll(), graceMs);
    await closed;
    clearTimeout(timer);
    peers.dropAll();
    peers.close();
  }
}

/** The WebSocket side of a server. */
interface Sockets {
  readonly server: WebSocketServer;
  /** The decision on a request while `ws` upgrades it. */
  readonly admissions: WeakMap<IncomingMessage, Admission>;
  readonly encoder: SharedEncoder;
  /** Pings all peers and drops those that did not answer the last one. */
  pingAll(): void;
}

/** Handlers of requests and upgrades. */
interface ServeContext {
  readonly handler: ConnectionHandler;
  readonly peers: TcpPeers;
  readonly sockets: Sockets;
  readonly secure: boolean;
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
  { handler, peers, sockets, secure }: ServeContext,
): void {
  // A reset while the handshake is under way must not end the process.
  socket.on("error", () => socket.destroy());
  const refuse = (response: Response) => {
    peers.refused(request.socket);
    void writeRawResponse(socket, response);
  };
  const asked = toRequest(request, secure);
  if (asked === null) return refuse(badRequest());
  const decision = handler.checkUpgrade(asked, request.socket.remoteAddress);
  if (!decision.ok) return refuse(decision.response);
  if (!peers.begin(request.socket)) return handler.abandon(decision.admission);
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
  let timer: ReturnType<typeof setTimeout> | undefined;
  ws.on("close", () => {
    clearTimeout(timer);
    connection.onClose();
  });
  // ws closes the socket itself after an error (1009 for a message too big); the close event follows. Until then
  // it keeps reading, for half a minute if the peer does not close: too long for a flood.
  ws.on("error", () => timer ??= setTimeout(() => ws.terminate(), TERMINATE_AFTER_MS));
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { handler, peers, secure }: ServeContext,
): Promise<void> {
  const { socket } = request;
  if (!peers.begin(socket)) return;
  response.once("close", () => peers.end(socket));
  const asked = toRequest(request, secure);
  const reply = asked === null ? badRequest() : await handler.respond(asked, socket.remoteAddress);
  await writeResponse(response, reply, handler.limits.transferStallTimeoutMs);
}

function badRequest(): Response {
  return errorResponse(
    new HarnessError(
      "invalid_request",
      "Cannot read the request: its method, its Host or its path is malformed",
    ),
  );
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

function listening(server: Server, { hostname, port }: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, onListening);
    function onListening(): void {
      server.off("error", reject);
      resolve();
    }
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
