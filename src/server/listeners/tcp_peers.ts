/**
 * Limits the TCP connections of a listener: their number, and their time without a request.
 *
 * @module
 */
import type { Socket } from "node:net";
import { getLogger } from "../../util/log.ts";
import { AddressCounts, addressKey } from "../access/addresses.ts";
import { LogLimiter } from "../access/log_limiter.ts";
import { IDLE_SWEEPS, MAX_PIPELINED_REQUESTS, REFUSED_LINGER_MS } from "../limits.ts";

/** Bounds for {@linkcode TcpPeers}. */
export interface TcpPeerOptions {
  /** Connections at once. */
  maxTotal: () => number;
  /** Connections at once of one address. */
  maxOf: (addressKey: string) => number;
  /** How long a connection may be without a request: from its start, its last answer or its refusal. */
  idleMs: number;
}

/** The fields that identify a socket's connection: over TLS, requests come with another object. */
export type PeerSocket = Pick<Socket, "remoteAddress" | "remotePort">;

interface Peer {
  readonly socket: Socket;
  /** Requests being answered, and 1 for a WebSocket: requests can be pipelined. */
  uses: number;
  /** Releases its place among those of its address. */
  readonly leave: () => void;
}

/** All TCP connections of a listener, and the idle ones among them. */
export class TcpPeers {
  readonly #options: TcpPeerOptions;
  readonly #open = new Map<string, Peer>();
  /** Since when each idle connection is idle, the oldest first. */
  readonly #idle = new Map<string, number>();
  readonly #counts = new AddressCounts();
  readonly #log = new LogLimiter();
  readonly #timer: ReturnType<typeof setInterval>;

  #onEmpty = () => {};

  /** Connections accepted so far, including the dropped ones. */
  accepted = 0;

  /** Starts dropping connections that are idle for too long. */
  constructor(options: TcpPeerOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#sweep(), Math.ceil(options.idleMs / IDLE_SWEEPS));
  }

  /** Connections that are open. */
  get size(): number {
    return this.#open.size;
  }

  /** Takes a new connection, evicting the one that has been idle longest, or drops it. */
  add(socket: Socket): void {
    this.accepted++;
    const key = keyOf(socket);
    const address = addressKey(socket.remoteAddress ?? "");
    if (key === null) {
      socket.destroy(); // already gone
      return;
    }
    if (this.#counts.of(address) >= this.#options.maxOf(address)) {
      this.#refuse(socket, address, "it has too many connections");
      return;
    }
    if (this.#open.size >= this.#options.maxTotal() && !this.#dropOldestIdle()) {
      this.#refuse(socket, address, "there are too many connections");
      return;
    }
    const leave = this.#counts.add(address);
    const peer: Peer = { socket, uses: 0, leave };
    this.#open.set(key, peer);
    this.#idle.set(key, performance.now());
    socket.on("error", () => {}); // a reset is no news; `close` follows
    socket.on("close", () => this.#gone(key, peer));
  }

  /**
   * Notes a request or an upgrade of a connection. False when the connection was dropped before, or is now
   * because it pipelines too many requests.
   */
  begin(socket: PeerSocket): boolean {
    const [key, peer] = this.#find(socket);
    if (peer === undefined) return false;
    this.#idle.delete(key);
    if (++peer.uses <= MAX_PIPELINED_REQUESTS) return true;
    this.#drop(key);
    return false;
  }

  /** Notes an answered request; without another one the connection is idle from now on. */
  end(socket: PeerSocket): void {
    const [key, peer] = this.#find(socket);
    if (peer !== undefined && --peer.uses <= 0) this.#idle.set(key, performance.now());
  }

  /** Notes a connection that is closing, to be dropped if its peer does not close it. */
  refused(socket: PeerSocket): void {
    const [key, peer] = this.#find(socket);
    if (peer === undefined) return;
    this.#idle.set(key, performance.now() - this.#options.idleMs + REFUSED_LINGER_MS);
  }

  /** Drops the idle ones. */
  dropIdle(): void {
    while (this.#dropOldestIdle());
  }

  /** Drops all. */
  dropAll(): void {
    for (const { socket } of [...this.#open.values()]) socket.destroy();
  }

  /** Resolves when none is open. */
  whenEmpty(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
      if (this.#open.size === 0) resolve();
    });
  }

  /** Stops looking for idle ones. */
  close(): void {
    clearInterval(this.#timer);
  }

  #sweep(): void {
    const before = performance.now() - this.#options.idleMs;
    for (const [key, since] of this.#idle) {
      if (since <= before) this.#drop(key);
    }
  }

  #dropOldestIdle(): boolean {
    for (const key of this.#idle.keys()) {
      this.#drop(key);
      return true;
    }
    return false;
  }

  /** Counts a connection as gone at once: its `close` event may come after the next connection. */
  #drop(key: string): void {
    const peer = this.#open.get(key);
    this.#forget(key);
    peer?.socket.destroy();
  }

  #find(socket: PeerSocket): [key: string, peer: Peer | undefined] {
    const key = keyOf(socket) ?? "";
    return [key, this.#open.get(key)];
  }

  #gone(key: string, peer: Peer): void {
    peer.leave();
    if (this.#open.get(key) !== peer) return; // dropped before, and another has its port
    this.#forget(key);
  }

  #forget(key: string): void {
    this.#open.delete(key);
    this.#idle.delete(key);
    if (this.#open.size === 0) this.#onEmpty();
  }

  #refuse(socket: Socket, address: string, why: string): void {
    socket.destroy();
    const count = this.#log.note(address);
    if (count === null) return;
    getLogger(["harness", "server"]).warn(
      "Dropped a connection of {address}: {why} ({count} times since the last such line)",
      { address, why, count },
    );
  }
}

function keyOf({ remoteAddress, remotePort }: PeerSocket): string | null {
  return remoteAddress === undefined || remotePort === undefined
    ? null
    : `${remoteAddress} ${remotePort}`;
}
