/** A server that does exactly what a test tells it: for what a correct server never does. */
import type { ActionData } from "../../src/protocol/actions.ts";

/** A queue that can be waited for. */
class Queue<T> {
  readonly #items: T[] = [];
  readonly #waiters: Array<(item: T) => void> = [];

  push(item: T): void {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#items.push(item);
    else waiter(item);
  }

  next(): Promise<T> {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve(item);
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  get size(): number {
    return this.#items.length;
  }
}

/** A request as it came. */
export interface Received {
  id: string;
  action: string;
  params: Record<string, unknown>;
}

/** One client's connection, seen from the server. */
export class Peer {
  readonly headers: Headers;
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #socket: WebSocket;
  readonly #requests = new Queue<Received>();

  constructor(socket: WebSocket, headers: Headers) {
    this.#socket = socket;
    this.headers = headers;
    this.closed = new Promise((resolve) => {
      socket.onclose = ({ code, reason }) => resolve({ code, reason });
    });
    socket.onmessage = ({ data }) => this.#requests.push(JSON.parse(data));
  }

  /** The next request. */
  request(): Promise<Received> {
    return this.#requests.next();
  }

  /** Requests that came and were not looked at. */
  get waiting(): number {
    return this.#requests.size;
  }

  send(frame: unknown): void {
    this.#socket.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  sendBinary(data: Uint8Array<ArrayBuffer>): void {
    this.#socket.send(data);
  }

  hello(data: Record<string, unknown> = {}): void {
    this.event("hello", {
      protocol: { version: 1, supported: [1] },
      server: { name: "scripted", version: "0" },
      epoch: "e1",
      seq: 0,
      limits: {},
      capabilities: [],
      ...data,
    });
  }

  event(event: string, data: unknown, seq?: number): void {
    const time = "2026-01-01T00:00:00.000Z";
    this.send({ type: "event", event, ...(seq === undefined ? {} : { seq }), time, data });
  }

  /** A state change of service `web`, the usual event in these tests. */
  change(seq: number, service = "web"): void {
    this.event("service_state_changed", {
      service,
      id: service,
      old_state: "running",
      new_state: "failed",
      reason: null,
      revision: seq,
    }, seq);
  }

  respond(request: Received, data: unknown): void {
    this.send({ id: request.id, type: "response", data });
  }

  fail(request: Received, code: string, message = "no"): void {
    const error = { code, message, retryable: code === "unavailable" };
    this.send({ id: request.id, type: "response", error });
  }

  /** Waits for a subscribe and acknowledges it. */
  async acknowledge(
    ack: Partial<ActionData<"subscribe">> = {},
  ): Promise<Received> {
    const request = await this.request();
    if (request.action !== "subscribe") throw new Error(`unexpected ${request.action}`);
    const subscription = `s-${request.id}`;
    this.respond(request, {
      subscribed: [],
      subscription,
      epoch: "e1",
      seq: 0,
      resumed: "live",
      ...ack,
    });
    return request;
  }

  close(code = 1000, reason = ""): void {
    this.#socket.close(code, reason);
  }
}

/** A server whose connections are handed to the test. */
export class ScriptedServer implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #peers = new Queue<Peer>();
  readonly #all: Peer[] = [];
  /** When set, handshakes are answered with this status. */
  refuseWith: number | null = null;
  /** Handshakes so far, the refused ones included. */
  handshakes = 0;

  constructor(port = 0) {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port, onListen() {} },
      (request) => this.#handle(request),
    );
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#server.addr.port}/`;
  }

  /** The next connection. */
  accept(): Promise<Peer> {
    return this.#peers.next();
  }

  /** The next connection, greeted. */
  async greet(hello: Record<string, unknown> = {}): Promise<Peer> {
    const peer = await this.accept();
    peer.hello(hello);
    return peer;
  }

  #handle(request: Request): Response {
    // Others only ask why a handshake was refused.
    if (request.headers.has("upgrade")) this.handshakes++;
    if (this.refuseWith !== null) return new Response("no", { status: this.refuseWith });
    const headers = new Headers(request.headers); // gone after the upgrade
    const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "harness.v1" });
    const peer = new Peer(socket, headers);
    this.#all.push(peer);
    socket.onopen = () => this.#peers.push(peer);
    return response;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#all) peer.close();
    await Promise.all(this.#all.map((peer) => peer.closed));
    await this.#server.shutdown();
  }
}
