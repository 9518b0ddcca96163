/**
 * Backpressure towards one peer: a bounded send queue, and large answers that wait for room in it.
 *
 * The queue itself is the socket's. When it is full, events pause and are caught up later; responses,
 * replays and snapshots wait for room. So neither a burst nor a big answer costs a healthy peer its
 * connection. A peer that reads nothing for a while is a slow consumer.
 *
 * @module
 */
import type { Recipients, ServerSocket } from "./server_socket.ts";
import { encodeDataText } from "../../protocol/codec.ts";
import type { Answer } from "./answers.ts";
import type { Turns, Work } from "./turns.ts";

/** Poll interval of a sender that waits for room. */
const POLL_INTERVAL_MS = 10;

/** Options for {@linkcode SendQueue}. */
export interface SendQueueOptions {
  /** High-water mark in bytes. */
  maxBytes: number;
  /** How long the peer may read nothing while a sender waits for room. */
  stallTimeoutMs: number;
  /** Called when the queue is full: events must pause and wait for {@linkcode SendQueue.ready}. */
  onFull: () => void;
  /** Called once, when the peer is a slow consumer. */
  onSlow: () => void;
}

/** The send side of a connection. */
export class SendQueue {
  readonly #socket: ServerSocket;
  readonly #options: SendQueueOptions;
  /** The socket's queue is read only every so many characters: reading it costs as much as sending. */
  readonly #checkEvery: number;
  #unchecked = 0;
  #lastBuffered = 0;
  /** Room granted for one big response, until the peer has read it. */
  #allowance = 0;
  #closed = false;
  #drain: Promise<void> | null = null;
  #wake: (() => void) | null = null;

  /** A queue in front of a socket. */
  constructor(socket: ServerSocket, options: SendQueueOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#checkEvery = Math.min(64 * 1024, options.maxBytes / 16);
  }

  /** Whether it is closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Sends a frame now. */
  push(text: string, recipients: Recipients = "one"): void {
    if (this.#closed) return;
    this.#socket.send(text, recipients);
    this.#unchecked += text.length;
    if (this.#unchecked > this.#checkEvery) this.#check();
  }

  /** Sends a frame that may be large, after {@linkcode ready}. */
  pushLarge(text: string, recipients: Recipients = "one"): void {
    if (text.length > this.#checkEvery) this.#allowance += 4 * text.length; // UTF-8 and framing
    this.push(text, recipients);
  }

  /** Whether a large frame may be sent now. */
  get isReady(): boolean {
    // The bytes queued at the last read, and those sent since, as UTF-8 with their framing.
    const atMost = this.#lastBuffered + 4 * this.#unchecked;
    const enough = this.#options.maxBytes / 2;
    return this.#closed || atMost <= enough || this.#buffered() <= enough;
  }

  /**
   * Resolves when there was room for a large frame, or when the queue is closed. All waiters are woken at once:
   * each must check {@linkcode isReady} again in the turn in which it sends, and wait again if there is none left.
   */
  async ready(): Promise<void> {
    while (!this.isReady) {
      this.#drain ??= this.#waitForDrain().finally(() => this.#drain = null);
      await this.#drain;
    }
  }

  /** Stops sending and wakes all waiters. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  #check(): void {
    const buffered = this.#buffered();
    const over = buffered - this.#options.maxBytes - this.#allowance;
    // Frames that cannot wait (log lines, error responses) are still sent, within a bound.
    if (over > this.#options.maxBytes / 4) this.#giveUp();
    else if (over > 0) this.#options.onFull();
  }

  #buffered(): number {
    const buffered = this.#socket.bufferedBytes();
    this.#unchecked = 0;
    this.#lastBuffered = buffered;
    if (buffered <= this.#options.maxBytes / 2) this.#allowance = 0;
    return buffered;
  }

  async #waitForDrain(): Promise<void> {
    let least = Infinity;
    let progressAt = performance.now();
    while (!this.isReady) {
      const buffered = this.#buffered();
      if (buffered < least) {
        least = buffered;
        progressAt = performance.now();
      } else if (performance.now() - progressAt > this.#options.stallTimeoutMs) {
        this.#giveUp();
        return;
      }
      await this.#pause();
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, POLL_INTERVAL_MS);
      const wake = () => {
        clearTimeout(timer);
        done();
      };
      this.#wake = wake;
      function done(): void {
        resolve();
      }
    });
  }

  #giveUp(): void {
    if (this.#closed) return;
    this.close();
    this.#options.onSlow();
  }
}

/** Sends large answers in order, in the connection's turns. */
export class Outbox {
  readonly #owner: object;
  readonly #queue: SendQueue;
  readonly #turns: Turns;
  #last: Promise<unknown> = Promise.resolve();
  #size = 0;

  /** The outbox of a connection, in front of its queue. The connection's end cancels its turns. */
  constructor(owner: object, queue: SendQueue, turns: Turns) {
    this.#owner = owner;
    this.#queue = queue;
    this.#turns = turns;
  }

  /** Sends an answer after those before it. @throws what building it throws. */
  add(id: string, answer: Answer): Promise<void> {
    this.#size++;
    const sent = this.#size === 1
      ? this.#send(id, answer)
      : this.#last.then(() => this.#send(id, answer));
    const done = sent.finally(() => this.#size--);
    this.#last = done.catch(() => {});
    return done;
  }

  async #send(id: string, answer: Answer): Promise<void> {
    for (;;) {
      while (!this.#queue.isReady) await this.#queue.ready();
      if (this.#queue.closed) return;
      if (await this.#turns.run(this.#owner, this.#steps(id, answer)) !== false) return;
    }
  }

  /** False when another sender has used the room meanwhile. */
  *#steps(id: string, answer: Answer): Work<boolean> {
    const text = yield* answer.make();
    if (this.#queue.closed) return true;
    if (!this.#queue.isReady) return false;
    this.#queue.pushLarge(encodeDataText(id, text));
    this.#turns.spend(text.length);
    return true;
  }
}
