/**
 * Joins the writes of ssh2.
 *
 * It writes each packet in three or four parts (length, data, digest), each a system call here and a read in sshd: joined,
 * 256 MB take a tenth less time and sshd a quarter less.
 *
 * Upstream: ssh2 1.17, no issue known.
 * Remove when: ssh2 writes a packet at once.
 *
 * @module
 */
import process from "node:process";
import type { Writable } from "node:stream";

/** Makes one write of all writes of a turn. */
export function joinWrites(stream: Writable): void {
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
  let joining = false;
  stream.write = (...args: unknown[]): boolean => {
    if (!joining) {
      joining = true;
      stream.cork();
      process.nextTick(() => {
        joining = false;
        stream.uncork();
      });
    }
    return write(...args);
  };
}
