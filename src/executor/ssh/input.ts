/**
 * How much of what machines send is read: all connections share it, so that machines that send without end leave time
 * for the others, and for everything else of this process.
 *
 * @module
 */
import type { Socket } from "node:net";
import {
  MAX_UNREAD_REPLY_BYTES,
  SSH_INPUT_BYTES_PER_S,
  SSH_INPUT_FREE_BYTES,
  SSH_INPUT_FREE_BYTES_PER_S,
} from "../limits.ts";

/** Time to read that is given away in order, so many bytes a second. */
class SharedInput {
  #free = 0;

  /** How long whoever has just read `bytes` has to wait, in milliseconds. */
  take(bytes: number, now: number): number {
    this.#free = Math.max(this.#free, now) + 1000 * bytes / SSH_INPUT_BYTES_PER_S;
    return this.#free - now;
  }
}

const shared = new SharedInput();

/**
 * Reads `socket` no faster than its share, beyond what it may send freely: decrypting is what costs, whatever becomes
 * of the data. A machine that makes us answer and does not read the answers is given up.
 *
 * Call it right after ssh2's `connect()`, which listens first and has the socket paused until then.
 */
export function paceInput(socket: Socket): void {
  let credit = SSH_INPUT_FREE_BYTES;
  let last = performance.now();
  let pause: ReturnType<typeof setTimeout> | undefined;
  socket.on("data", (chunk: Uint8Array) => {
    if (socket.writableLength > MAX_UNREAD_REPLY_BYTES) {
      socket.destroy(new Error("it sends and does not read what it is answered"));
      return;
    }
    const now = performance.now();
    credit += (now - last) / 1000 * SSH_INPUT_FREE_BYTES_PER_S - chunk.length;
    credit = Math.min(SSH_INPUT_FREE_BYTES, Math.max(0, credit));
    last = now;
    if (credit > 0) return;
    const waitMs = shared.take(chunk.length, now);
    socket.pause();
    clearTimeout(pause);
    pause = setTimeout(() => socket.resume(), waitMs);
  });
  socket.once("close", () => clearTimeout(pause));
}
