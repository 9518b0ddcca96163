/**
 * Queue of received messages of one connection, for when all connections together send more than is read in one
 * turn of the event loop. In order and bounded; discarded once the connection is gone.
 *
 * @module
 */
import { MAX_INBOX_BYTES, MESSAGES_PIECE_MS } from "../limits.ts";
import type { Turns } from "./turns.ts";

/** A frame as a listener delivers it. */
export type Message = string | Uint8Array | ArrayBuffer;

/** Bytes queued in all inboxes of a server together. */
export class InboxSpace {
  /** Most bytes queued. */
  readonly maxBytes: number;
  /** Bytes queued. */
  bytes = 0;

  /** Starts empty. */
  constructor(maxBytes: number = MAX_INBOX_BYTES) {
    this.maxBytes = maxBytes;
  }
}

/** Options for {@linkcode Inbox}. */
export interface InboxOptions {
  /** The connection, for its turns. */
  owner: object;
  /** Scheduler of the event loop. */
  turns: Turns;
  /** Most bytes queued. */
  maxBytes: number;
  /** What messages have to wait for, or `null` where they can be read. Must not reject. */
  waitsFor: () => Promise<void> | null;
  /** Counts the bytes of all inboxes; when it is full, an inbox takes one message at most. */
  space: InboxSpace;
  /** Reads a message. Must not throw. */
  read: (message: Message) => void;
  /** Called when a message does not fit. */
  onFull: () => void;
}

/** Bytes of a queued message besides its text. */
const OVERHEAD_BYTES = 64;
/** Every message larger than this is timed; of the others one in {@linkcode Turns.sample}. */
const SMALL_MESSAGE_BYTES = 2048;

/** Reads messages at once, or in turn. */
export class Inbox {
  readonly #options: InboxOptions;
  #waiting: Message[] = [];
  /** Index of the first queued message: those before it are removed in bulk. */
  #head = 0;
  #bytes = 0;

  /** An empty inbox. */
  constructor(options: InboxOptions) {
    this.#options = options;
  }

  /** Number of queued messages. */
  get size(): number {
    return this.#waiting.length - this.#head;
  }

  /** Takes a message. */
  take(message: Message): void {
    const { owner, turns, maxBytes, waitsFor, space, read, onFull } = this.#options;
    const wait = waitsFor();
    if (this.size === 0 && !turns.isSpent && wait === null) {
      const counts = sizeOf(message) > SMALL_MESSAGE_BYTES ? 1 : turns.sample();
      if (counts === 0) return read(message);
      const begun = performance.now();
      read(message);
      turns.used(counts * (performance.now() - begun));
      return;
    }
    this.#count(sizeOf(message));
    if (this.#bytes > maxBytes || (this.size > 0 && space.bytes > space.maxBytes)) {
      this.clear();
      onFull();
      return;
    }
    this.#waiting.push(message);
    if (this.size > 1) return;
    const next = () => void turns.once(owner, () => this.#readSome());
    if (wait === null) next();
    else void wait.then(next);
  }

  /** Discards the queue. */
  clear(): void {
    this.#waiting = [];
    this.#head = 0;
    this.#count(-this.#bytes);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#options.space.bytes += bytes;
  }

  #readSome(): void {
    const { owner, turns, read } = this.#options;
    const end = performance.now() + MESSAGES_PIECE_MS;
    do {
      const message = this.#waiting[this.#head];
      if (message === undefined) break;
      this.#head++;
      this.#count(-sizeOf(message));
      read(message);
    } while (performance.now() < end);
    if (this.size === 0) return this.clear();
    if (this.#head > 256) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    void turns.once(owner, () => this.#readSome());
  }
}

function sizeOf(message: Message): number {
  return OVERHEAD_BYTES + (typeof message === "string" ? message.length : message.byteLength);
}
