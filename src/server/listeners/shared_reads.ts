/**
 * Reads of many sockets into one buffer. Deno allocates 64 KiB for each read of a socket, which takes as long as all
 * else that a small request needs.
 *
 * Node has the option `onread` of `net.Socket` for it, which Deno has, too: only a server's sockets are made without
 * it. So what the option sets is set here, on a socket that is there: the buffer and the callback under the keys that a
 * socket made with the option has them under, and the buffer of its handle.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** As much as the runtime reads at once. */
const READ_BYTES = 64 * 1024;

/** A callback of `onread`: bytes that were read are at the start of the buffer until it returns. */
type OnRead = (bytes: number) => boolean;

/** The part of a socket's handle that is used. */
interface Handle {
  readonly useUserBuffer?: (buffer: Uint8Array) => unknown;
}

/** The keys of a socket under which the option is kept. */
interface Keys {
  readonly buffer: symbol;
  readonly callback: symbol;
}

let keys: Keys | null | undefined;

/** The buffer of all sockets of a listener. */
export class SharedReads {
  /** What was read last. */
  readonly buffer: Buffer = Buffer.allocUnsafeSlow(READ_BYTES);

  /**
   * From now on calls `onRead` for each read of a socket instead of passing the bytes to its stream; `false` from it
   * stops reading, as `push()` does. False, and all stays as it is, where the runtime keeps the option elsewhere.
   */
  use(socket: Duplex, onRead: OnRead): boolean {
    keys ??= findKeys();
    const { _handle: handle } = socket as unknown as { readonly _handle?: Handle | null };
    if (keys === null || typeof handle?.useUserBuffer !== "function") return false;
    const fields = socket as unknown as Record<symbol, unknown>;
    if (fields[keys.buffer] !== null || fields[keys.callback] !== null) return false;
    handle.useUserBuffer(this.buffer);
    fields[keys.buffer] = this.buffer;
    fields[keys.callback] = onRead;
    return true;
  }
}

/** Finds the keys on a socket that is made with the option. */
function findKeys(): Keys | null {
  const buffer = new Uint8Array(1);
  const callback = () => true;
  const options: object = { onread: { buffer, callback } };
  const socket = new Socket(options);
  const fields = socket as unknown as Record<symbol, unknown>;
  const symbols = Object.getOwnPropertySymbols(socket);
  socket.destroy();
  const found = {
    buffer: symbols.find((key) => fields[key] === buffer),
    callback: symbols.find((key) => fields[key] === callback),
  };
  return found.buffer === undefined || found.callback === undefined ? null : found as Keys;
}
