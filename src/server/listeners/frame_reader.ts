/**
 * Reads what clients send nearly always, whole text messages in one frame, without the receiver of `ws`: that takes
 * a third of the time of a small request.
 *
 * All else is the receiver's, with its checks, limits and answers: fragments, control frames, binary messages, frames
 * in several chunks, everything malformed. Nothing can be wrong, because
 *
 * - a frame is read here only while the receiver is between two messages and has nothing buffered, so that leaving the
 *   frame out of what it is given leaves it in the same place;
 * - only frames are taken that the receiver would report as one text, by the same limit and the same check of UTF-8;
 * - from the first other byte of a chunk on, the rest of that chunk is the receiver's; so the order is kept.
 *
 * @module
 */
import { Buffer, isUtf8 } from "node:buffer";
import type { Duplex } from "node:stream";
// @ts-types="@types/ws"
import type { WebSocket as WsSocket } from "ws";
import { JOIN_CHUNKS } from "../limits.ts";
import type { SharedReads } from "./shared_reads.ts";

/** The first byte of a frame: a whole text message, without compression. */
const WHOLE_TEXT = 0x81;
/** Bit of the second byte; without it `ws` ends the connection. */
const MASKED = 0x80;

/** The part of a receiver of `ws` that tells its place in the stream; none of the fields is documented. */
interface Receiver {
  readonly _state?: unknown;
  readonly _bufferedBytes?: unknown;
  /** Bytes of the fragments of a message that is not all there. */
  readonly _messageLength?: unknown;
  readonly _fragmented?: unknown;
  readonly _loop?: unknown;
  readonly _errored?: unknown;
  /** The chunks of a frame that is not all there. */
  _buffers?: unknown;
  readonly writableLength?: unknown;
}

/** Options for {@linkcode readTexts}. */
export interface TextReaderOptions {
  /** Most bytes of a message: those of `ws`. */
  readonly maxBytes: number;
  /** Called with each text that is not reported by `ws`. */
  readonly onText: (text: string) => void;
  /** Called with the bytes that `ws` holds of a message which is not all there, each time it was given some. */
  readonly onUnfinished?: (bytes: number) => void;
  /** The buffer to read into, where the runtime can. */
  readonly reads: SharedReads;
}

/**
 * Reads texts of a new socket, before its first byte has arrived. False, and `ws` reads everything, where a version
 * of `ws` has other fields, or is that of Bun.
 */
export function readTexts(ws: WsSocket, socket: Duplex, options: TextReaderOptions): boolean {
  const { _receiver: receiver } = ws as unknown as { readonly _receiver?: Receiver };
  const [theirs, ...others] = socket.listeners("data");
  if (receiver === undefined || theirs === undefined || others.length > 0) return false;
  const isBetweenMessages = placeOf(receiver);
  if (isBetweenMessages === null) return false;
  const reader = new TextReader(socket, { ...options, isBetweenMessages });
  function onData(chunk: Buffer): void {
    const read = reader.read(chunk, chunk.length);
    if (read === chunk.length || socket.destroyed) return;
    theirs?.call(socket, read === 0 ? chunk : chunk.subarray(read));
    if (receiver === undefined) return;
    joinChunks(receiver);
    options.onUnfinished?.(Number(receiver._messageLength) + Number(receiver._bufferedBytes));
  }
  // So `ws` removes it where it removes its own: after a close frame, an error, and the end of the connection.
  onData.listener = theirs;
  socket.off("data", theirs as () => void);
  socket.on("data", onData);
  options.reads.use(socket, (length) => reader.readShared(options.reads.buffer, length));
  return true;
}

/**
 * Tells whether a receiver is where a new one is: between two messages, with nothing buffered and no error. Given a
 * new one; `null` where it has other fields.
 */
function placeOf(receiver: Receiver): (() => boolean) | null {
  const { _state, _bufferedBytes, _messageLength, _fragmented, _loop, _errored } = receiver;
  const { writableLength } = receiver;
  const fields = [_state, _bufferedBytes, _messageLength, _fragmented, _loop, _errored];
  if (fields.includes(undefined) || writableLength !== 0) return null;
  return () =>
    receiver._state === _state && receiver._bufferedBytes === _bufferedBytes &&
    receiver._fragmented === _fragmented && receiver._loop === _loop &&
    receiver._errored === _errored && receiver.writableLength === 0;
}

/**
 * Makes one chunk of many: a frame that arrives byte by byte would else hold a hundred times its bytes, and be refused
 * for the number of its chunks.
 */
function joinChunks(receiver: Receiver): void {
  const { _buffers: chunks } = receiver;
  if (!Array.isArray(chunks) || chunks.length < JOIN_CHUNKS) return;
  receiver._buffers = [Buffer.concat(chunks as Buffer[])];
}

/** Reads the whole text messages at the start of chunks. */
class TextReader {
  readonly #socket: Duplex;
  readonly #isBetweenMessages: () => boolean;
  readonly #maxBytes: number;
  readonly #onText: (text: string) => void;

  constructor(
    socket: Duplex,
    { isBetweenMessages, maxBytes, onText }: TextReaderOptions & {
      isBetweenMessages: () => boolean;
    },
  ) {
    this.#socket = socket;
    this.#isBetweenMessages = isBetweenMessages;
    this.#maxBytes = maxBytes;
    this.#onText = onText;
  }

  /** Reads those in so many bytes. Returns where the rest begins. */
  read(chunk: Buffer, bytes: number): number {
    if (!this.#isBetweenMessages()) return 0;
    let at = 0;
    // A header of the shortest length, its mask, and the longer length where there is one.
    while (at + 6 <= bytes && chunk[at] === WHOLE_TEXT) {
      const second = chunk[at + 1] as number;
      let length = second - MASKED;
      let start = at + 6;
      if (length === 126) {
        length = chunk[at + 2] as number << 8 | chunk[at + 3] as number;
        start += 2;
      }
      const end = start + length;
      // Unmasked, or with a length of 8 bytes, or not all there.
      if (length < 0 || second === (MASKED | 127) || end > bytes || length > this.#maxBytes) break;
      const text = textOf(chunk, start, end);
      if (text === null) break;
      at = end;
      this.#onText(text);
      if (this.#socket.destroyed) break; // by who was called
    }
    return at;
  }

  /**
   * Reads those in a buffer that the next read overwrites, and gives a copy of the rest to the stream. All is the
   * stream's while it has bytes that come before, and when nobody listens any more. False to stop reading.
   */
  readShared(buffer: Buffer, bytes: number): boolean {
    const socket = this.#socket;
    const isNext = socket.readableLength === 0 && socket.readableFlowing === true &&
      socket.listenerCount("data") > 0;
    const read = isNext ? this.read(buffer, bytes) : 0;
    return read === bytes || socket.destroyed ||
      socket.push(Buffer.from(buffer.subarray(read, bytes)));
  }
}

/** The text of a masked payload, unmasked in place; `null`, and as it was, where it is not UTF-8. */
function textOf(chunk: Buffer, start: number, end: number): string | null {
  if (unmask(chunk, start, end)) return chunk.toString("latin1", start, end);
  if (isUtf8(chunk.subarray(start, end))) return chunk.toString("utf8", start, end);
  unmask(chunk, start, end);
  return null;
}

/** Applies the mask before a payload, which masks and unmasks. Whether all that comes out is ASCII. */
function unmask(chunk: Buffer, start: number, end: number): boolean {
  let seen = 0;
  for (let at = start; at < end; at++) {
    const byte = (chunk[at] as number) ^ (chunk[start - 4 + ((at - start) & 3)] as number);
    chunk[at] = byte;
    seen |= byte;
  }
  return seen < 128;
}
