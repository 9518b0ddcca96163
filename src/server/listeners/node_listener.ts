/**
 * The listener: `node:http` in front of the WebSockets of `npm:ws`.
 *
 * `node:http` counts TCP connections, times out slow headers, and takes the handshakes of all common clients. The
 * HTTP server of Deno refuses some before any code of ours sees them: those with `Content-Length: 0`, which the JDK
 * sends always.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  ServerResponse,
} from "node:http";
import type { Server as HttpsServer, ServerOptions as HttpsOptions } from "node:https";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { HarnessError } from "../../errors.ts";
import {
  ACCEPT_BACKLOG,
  ACCEPT_BURST,
  ACCEPT_CHECK_TURNS,
  ACCEPT_TRY_INTERVAL_MS,
  ACCEPT_TURN_MS,
  EXTRA_TCP_CONNECTIONS,
  EXTRA_TCP_OF_ADDRESS,
  HANDSHAKES_TURN_MS,
  REQUEST_TIMEOUT_MS,
} from "../limits.ts";
import type { Gate } from "../gate.ts";
import { errorResponse } from "../http/http_errors.ts";
import { loadRules } from "../connection/request_rules.ts";
import { asksForWebSocket } from "../access/upgrade.ts";
import { DescriptorGuard, DescriptorReserve, isExhaustion } from "./descriptors.ts";
import {
  type Listener,
  listenError,
  type ListenOptions,
  ownAddress,
  type WarmUpOptions,
} from "./listener.ts";
import { toRequest, writeRawResponse, writeResponse } from "./node_http.ts";
import { SocketsOnDemand } from "./sockets_on_demand.ts";
import { TcpPeers } from "./tcp_peers.ts";
import { Turns } from "../connection/turns.ts";
import { sleep } from "../../util/async.ts";
import { runtimeName } from "../../util/node/runtime.ts";

/** Listens with `node:http`. */
export async function listen(
  handler: Gate,
  options: ListenOptions,
): Promise<Listener> {
  const settings = {
    headersTimeout: options.headersTimeoutMs,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: options.headersTimeoutMs / 2,
    // An upgrade to something else is ignored, as RFC 9110 wants it: the body of such a request is read, too.
    shouldUpgradeCallback: ({ headers }: IncomingMessage) => asksForWebSocket(headers.upgrade),
  };
  const reserve = new DescriptorReserve();
  let server: Server;
  let peers: TcpPeers | undefined;
  try {
    server = options.tls === undefined
      ? createHttpServer(settings)
      : await createHttpsServer({ ...settings, ...options.tls });
    peers = watchPeers(server, handler, reserve, options);
    await listening(server, options);
  } catch (error) {
    peers?.close();
    throw listenError(options, error);
  }
  const context: ServeContext = {
    handler,
    peers,
    reserve,
    sockets: new SocketsOnDemand(handler),
    handshakes: new Turns({ turnMs: HANDSHAKES_TURN_MS }),
    secure: options.tls !== undefined,
  };
  server.on("request", (request, response) => void answer(request, response, context));
  server.on("upgrade", (request, socket, head) => {
    // A reset while the handshake waits or is under way must not end the process.
    socket.on("error", () => socket.destroy());
    if (!peers.begin(request.socket)) return void socket.destroy();
    const handshake = () => upgrade(request, socket, head, context);
    const drop = () => socket.destroy();
    // `null`: the listener was closed.
    void context.handshakes.once(socket, handshake).then((done) => done === null && drop(), drop);
  });
  return new NodeListener(server, context, options);
}

/** Loaded by servers with TLS alone. */
async function createHttpsServer(settings: HttpsOptions): Promise<HttpsServer> {
  const { createServer } = await import("node:https");
  return createServer(settings);
}

/** Bounds the TCP connections of a server. A few more of an address than it may have get a 429, the next are dropped. */
function watchPeers(
  server: Server,
  handler: Gate,
  reserve: DescriptorReserve,
  options: ListenOptions,
): TcpPeers {
  const wanted = handler.limits.maxConnections + EXTRA_TCP_CONNECTIONS;
  const peers = new TcpPeers({
    maxTotal: () => Math.min(wanted, reserve.forClients),
    maxOf: (address) => handler.maxConnectionsOf(address) + EXTRA_TCP_OF_ADDRESS,
    idleMs: options.headersTimeoutMs,
  });
  server.on("connection", (socket: Socket) => peers.add(socket));
  return peers;
}

class NodeListener implements Listener {
  readonly port: number;
  readonly #server: Server;
  readonly #context: ServeContext;
  readonly #guard: DescriptorGuard;
  /** Accepted connections at the last poll. */
  #acceptedBefore = 0;
  /** When accepting was last tried. */
  #triedAt = performance.now();

  constructor(server: Server, context: ServeContext, options: ListenOptions) {
    this.#server = server;
    this.#context = context;
    this.port = portOf(server);
    const { peers, reserve } = context;
    this.#guard = new DescriptorGuard({
      // Node and Bun accept again after a failed accept. And Bun emits `connection` only at the first request, so that
      // a probe which sends none would look refused.
      ...(runtimeName() === "deno" ? { isAlive: () => this.#isAlive(options) } : {}),
      // Established connections are kept, except idle HTTP ones.
      pause() {
        server.close();
        peers.dropIdle();
        return true;
      },
      resume: () => listening(server, { ...options, port: this.port }),
    }, reserve);
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

  setTls(tls: NonNullable<ListenOptions["tls"]>): void {
    const server = this.#server as Partial<HttpsServer>;
    // Bun has no such method.
    if (server.setSecureContext === undefined) {
      throw new HarnessError(
        "unavailable",
        "Cannot replace the certificate while the server runs: restart it",
      );
    }
    server.setSecureContext(tls);
  }

  async warmUp({ rules = true }: WarmUpOptions): Promise<void> {
    const { sockets, handler, reserve } = this.#context;
    void reserve.learn(); // many may be on their way
    await sockets.warmUp();
    await handler.loadHttp();
    if (!rules) return;
    await loadRules();
    // Which is refused: the first check of a process takes milliseconds, in which the runtime makes its parts.
    handler.checkUpgrade(new Request("http://localhost/"));
  }

  /** Node's `closeAllConnections()` forgets upgraded sockets, and Deno's those that are idle. */
  async close(graceMs: number): Promise<void> {
    const { peers, sockets, handshakes } = this.#context;
    await this.#guard.close();
    handshakes.close();
    sockets.close();
    if (this.#server.listening) this.#server.close();
    peers.dropIdle();
    const timer = setTimeout(() => peers.dropAll(), graceMs);
    await peers.whenEmpty();
    clearTimeout(timer);
    peers.close();
  }
}

/** Handlers of requests and upgrades. */
interface ServeContext {
  readonly handler: Gate;
  readonly peers: TcpPeers;
  readonly reserve: DescriptorReserve;
  readonly sockets: SocketsOnDemand;
  /** Their own turns: in those of other work they would wait for what those who came before are sent. */
  readonly handshakes: Turns;
  readonly secure: boolean;
}

function upgrade(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  context: ServeContext,
): void {
  if (socket.destroyed) return;
  const { handler, peers, sockets, secure } = context;
  const refuse = (response: Response) => {
    peers.refused(request.socket);
    void writeRawResponse(socket, response);
  };
  const asked = toRequest(request, secure);
  if (asked === null) return refuse(badRequest());
  if (!asksForWebSocket(request.headers.upgrade)) {
    peers.end(request.socket); // and begins again as a request
    return answerUpgrade(request, context);
  }
  const decision = handler.checkUpgrade(asked, request.socket.remoteAddress);
  if (!decision.ok) return refuse(decision.response);
  const { admission } = decision;
  sockets.accept({ request, socket, head, admission });
}

/**
 * Answers a request with another upgrade, such as `curl --http2` offers, and ends the connection. Only Node before
 * 22.21, which knows no `shouldUpgradeCallback`, needs this; it does not pass on the body.
 */
function answerUpgrade(request: IncomingMessage, context: ServeContext): void {
  const { socket } = request;
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  response.once("finish", () => {
    socket.end();
    context.peers.refused(socket);
  });
  void answer(request, response, context);
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

function listening(server: Server, { hostname, port }: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host: hostname, backlog: ACCEPT_BACKLOG }, onListening);
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
