/**
 * Rate limit for what machines send, shared by all connections: machines that send endlessly must leave time for the
 * others and for the rest of this process.
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

/** A budget of so many bytes a second, given out in order. */
class SharedInput {
  #free = 0;

  /** Takes `bytes`; returns how many milliseconds to wait. */
  take(bytes: number, now: number): number {
    this.#free = Math.max(this.#free, now) + 1000 * bytes / SSH_INPUT_BYTES_PER_S;
    return this.#free - now;
  }
}

const shared = new SharedInput();

/**
 * Reads `socket` no faster than its share once its free input is used up: decrypting costs, whatever becomes of the data.
 * A machine that makes us reply and does not read the replies is disconnected.
 *
 * Call it right after ssh2's `connect()`, which listens first and has the socket paused until then.
 */
export function paceInput(socket: Socket): void {
  let credit = SSH_INPUT_FREE_BYTES;
  let last = performance.now();
  let pause: ReturnType<typeof setTimeout> | undefined;
  socket.on("data", (chunk: Uint8Array) => {
    if (socket.writableLength > MAX_UNREAD_REPLY_BYTES) {
      socket.destroy(new Error("it sends and does not read the replies"));
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
