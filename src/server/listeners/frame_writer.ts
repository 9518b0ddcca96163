/**
 * Text frames of a server, in few writes: what a socket is sent within a turn of the event loop is written at once,
 * and a text for many sockets is encoded once.
 *
 * A write costs as much as sending dozens of frames in it. So after a burst of events a thousand sockets get one
 * write each, and often the same bytes.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import type { Recipients } from "../connection/server_socket.ts";
import { MAX_EVENT_DELAY_MS, SHARED_FRAMES_BYTES, TURN_MS } from "../limits.ts";

/** The first byte of a frame: a whole text message. */
const WHOLE_TEXT = 0x81;

/** Frames and joins for all sockets of a listener. */
export class FrameWriter {
  /** Frames of texts that went to many, the oldest first. */
  readonly #shared = new Map<string, Buffer>();
  #sharedBytes = 0;
  /** Queues with an answer or the like: written when the present callback is over. */
  #prompt: FrameQueue[] = [];
  /** Queues with nothing but events. */
  #waiting: FrameQueue[] = [];
  /** How long the writes of the present round have taken. */
  #tookMs = 0;
  /** When the next round may begin. */
  #readyAt = 0;
  #scheduled = false;
  /** What was joined last: most sockets got the same frames. */
  #joined: { frames: readonly Buffer[]; bytes: Buffer } = { frames: [], bytes: Buffer.alloc(0) };

  /** The frame of a text that other sockets get, too. */
  shared(text: string): Buffer {
    let frame = this.#shared.get(text);
    if (frame !== undefined) return frame;
    frame = textFrame(text);
    this.#shared.set(text, frame);
    this.#sharedBytes += frame.length;
    for (const [oldest, { length }] of this.#shared) {
      if (this.#sharedBytes <= SHARED_FRAMES_BYTES) break;
      this.#shared.delete(oldest);
      this.#sharedBytes -= length;
    }
    return frame;
  }

  /** Writes a queue when the present callback is over: later would leave clients waiting that send one by one. */
  schedule(queue: FrameQueue): void {
    if (this.#prompt.push(queue) === 1) queueMicrotask(() => this.#writePrompt());
  }

  /**
   * Writes a queue in the next round. Rounds take half of the time at most: what comes between two of them is joined,
   * and other work has the rest.
   */
  scheduleEvents(queue: FrameQueue): void {
    this.#waiting.push(queue);
    if (this.#scheduled) return;
    this.#scheduled = true;
    const waitMs = this.#readyAt - performance.now();
    if (waitMs <= 0) setImmediate(() => this.#writeSome());
    else setTimeout(() => this.#writeSome(), waitMs);
  }

  /** One buffer of several frames, the last one where they are the same. */
  join(frames: readonly Buffer[]): Buffer {
    const [first] = frames;
    if (frames.length === 1 && first !== undefined) return first;
    if (!isSame(frames, this.#joined.frames)) {
      this.#joined = { frames, bytes: Buffer.concat(frames) };
    }
    return this.#joined.bytes;
  }

  #writePrompt(): void {
    const queues = this.#prompt;
    this.#prompt = [];
    for (const queue of queues) queue.write();
  }

  #writeSome(): void {
    const begun = performance.now();
    const queues = this.#waiting;
    let at = 0;
    while (at < queues.length && performance.now() < begun + TURN_MS) queues[at++]?.write();
    const ended = performance.now();
    this.#tookMs += ended - begun;
    if (at < queues.length) {
      this.#waiting = queues.slice(at);
      setTimeout(() => this.#writeSome(), 0); // not `setImmediate`: others read and accept before
      return;
    }
    this.#waiting = [];
    this.#scheduled = false;
    this.#joined = { frames: [], bytes: Buffer.alloc(0) };
    this.#readyAt = ended + Math.min(this.#tookMs, MAX_EVENT_DELAY_MS);
    this.#tookMs = 0;
  }
}

/** The frames of one socket that are not written yet. */
export class FrameQueue {
  readonly #writer: FrameWriter;
  readonly #socket: Duplex;
  /** Frames of ASCII, one character a byte; they are before the others. */
  #ascii = "";
  #frames: Buffer[] = [];
  #bytes = 0;
  #isPrompt = false;

  /** A queue in front of a socket. */
  constructor(writer: FrameWriter, socket: Duplex) {
    this.#writer = writer;
    this.#socket = socket;
  }

  /** Bytes that are not written yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds the frame of a text. */
  add(text: string, recipients: Recipients): void {
    const isFirst = this.#bytes === 0;
    const ascii = recipients === "one" && this.#frames.length === 0 ? asciiFrame(text) : null;
    if (ascii === null) {
      const frame = recipients === "many" ? this.#writer.shared(text) : textFrame(text);
      this.#frames.push(frame);
      this.#bytes += frame.length;
    } else {
      this.#ascii += ascii;
      this.#bytes += ascii.length;
    }
    if (recipients === "many") {
      if (isFirst) this.#writer.scheduleEvents(this);
    } else if (!this.#isPrompt) {
      this.#isPrompt = true;
      this.#writer.schedule(this);
    }
  }

  /** Writes what there is, now. */
  write(): void {
    if (this.#bytes === 0) return;
    const ascii = this.#ascii;
    const frames = this.#frames;
    this.#ascii = "";
    this.#frames = [];
    this.#bytes = 0;
    this.#isPrompt = false;
    if (!this.#socket.writable) return;
    if (ascii !== "") this.#socket.write(ascii, "latin1");
    if (frames.length > 0) this.#socket.write(this.#writer.join(frames));
  }
}

/**
 * The frame of an ASCII text of usual length, as characters that are a byte each; else `null`. A string costs less than
 * a buffer, which has to be allocated, filled and passed on.
 */
function asciiFrame(text: string): string | null {
  const { length } = text;
  if (length >= 65536) return null;
  const frame = length < 126
    ? String.fromCharCode(WHOLE_TEXT, length) + text
    : String.fromCharCode(WHOLE_TEXT, 126, length >> 8, length & 255) + text;
  // Of the frame, not of the text: V8 makes one string of its parts for that, which is then the one that is written.
  return Buffer.byteLength(frame) === frame.length + wideBytes(length) ? frame : null;
}

/** Bytes of the head of a frame that are two in UTF-8. */
function wideBytes(length: number): number {
  return length < 126 ? 1 : 1 + (length >> 15) + (length >> 7 & 1);
}

/** A text message in one frame from a server: without a mask. */
function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const start = length < 126 ? 2 : length < 65536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(start + length);
  frame[0] = WHOLE_TEXT;
  if (start === 2) frame[1] = length;
  else if (start === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeUInt32BE(0, 2);
    frame.writeUInt32BE(length, 6);
  }
  frame.write(text, start);
  return frame;
}

function isSame(some: readonly Buffer[], others: readonly Buffer[]): boolean {
  if (some.length !== others.length) return false;
  for (let at = 0; at < some.length; at++) {
    if (some[at] !== others[at]) return false;
  }
  return true;
}
