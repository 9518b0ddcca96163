/**
 * Uploads and downloads of packages: concurrency limits and stall timeouts.
 *
 * @module
 */
import type { FileHandle } from "node:fs/promises";
import { HarnessError } from "../../errors.ts";
import { AddressCounts, addressKey } from "../access/addresses.ts";
import { MIN_TRANSFER_BYTES, TRANSFERS_SHARE } from "../limits.ts";
import { resultWithin } from "../../util/async.ts";

/** Slots for transfers: a total, and half of it for one address. */
export class TransferSlots {
  readonly #what: string;
  readonly #max: number;
  readonly #maxOfOne: number;
  readonly #counts = new AddressCounts();
  #taken = 0;

  /** `what` is the plural in error messages. */
  constructor(what: string, max: number) {
    this.#what = what;
    this.#max = max;
    this.#maxOfOne = Math.ceil(max / TRANSFERS_SHARE);
  }

  /**
   * Takes a slot; the returned function releases it, once.
   *
   * @param address The peer. Left out: only the total counts.
   * @throws {HarnessError} `rate_limited` when there is none.
   */
  take(address: string | undefined): () => void {
    const key = address === undefined ? null : addressKey(address);
    if (this.#taken >= this.#max) throw this.#tooMany("the server", this.#max);
    if (key !== null && this.#counts.of(key) >= this.#maxOfOne) {
      throw this.#tooMany("your address", this.#maxOfOne);
    }
    this.#taken++;
    const leave = key === null ? null : this.#counts.add(key);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#taken--;
      leave?.();
    };
  }

  #tooMany(who: string, max: number): HarnessError {
    return new HarnessError(
      "rate_limited",
      `Too many ${this.#what}: ${who} has ${max} at once (the limit); try again when one has ended`,
      { details: { reason: "transfers", max, retry_after_ms: 1000 } },
    );
  }
}

/**
 * The chunks of an upload.
 *
 * @throws {HarnessError} `cancelled` when the sender disconnected; `timeout` when it sends hardly anything for
 * `stallMs`.
 */
export async function* movingChunks(
  body: ReadableStream<Uint8Array>,
  stallMs: number,
): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  let waitedMs = 0;
  let bytes = 0;
  try {
    for (;;) {
      const start = performance.now();
      const { done, value } = await readWithin(reader, stallMs);
      if (done) return;
      // Only time spent waiting for the sender counts, not a slow disk.
      waitedMs += performance.now() - start;
      bytes += value.length;
      if (bytes >= MIN_TRANSFER_BYTES) waitedMs = bytes = 0;
      else if (waitedMs > stallMs) throw stalled(stallMs);
      yield value;
    }
  } finally {
    void reader.cancel().catch(() => {}); // a sender who left is no news here
    reader.releaseLock();
  }
}

async function readWithin(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  stallMs: number,
): Promise<ReadableStreamReadResult<Uint8Array>> {
  const result = await resultWithin(reader.read(), stallMs).catch((cause) => {
    throw new HarnessError(
      "cancelled",
      "Cannot store the package: the upload ended early; send it again",
      { cause },
    );
  });
  if (result === null) throw stalled(stallMs);
  return result;
}

function stalled(stallMs: number): HarnessError {
  return new HarnessError(
    "timeout",
    `Cannot store the package: the upload stalled for ${stallMs} ms; send it again`,
    { details: { reason: "stalled", stall_ms: stallMs } },
  );
}

/** Options for {@linkcode streamOf}. */
export interface StreamOptions {
  /** Stall timeout of the reader. @default {none} */
  stallMs?: number;
  /** Called once when the file is closed. */
  onClosed?: () => void;
}

const READ_CHUNK_BYTES = 256 * 1024;

/** A file as a stream that closes it at its end, when cancelled, or when the reader stalls. */
export function streamOf(
  handle: FileHandle,
  { stallMs, onClosed = () => {} }: StreamOptions = {},
): ReadableStream<Uint8Array> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;
  const close = async () => {
    clearTimeout(timer);
    if (closed) return;
    closed = true;
    onClosed();
    await handle.close();
  };
  const watch = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    if (stallMs === undefined || closed) return;
    timer = setTimeout(() => {
      controller.error(new HarnessError("timeout", "Cannot send the package: the reader stalled"));
      void close();
    }, stallMs);
  };
  return new ReadableStream({
    start: watch,
    async pull(controller) {
      clearTimeout(timer);
      try {
        const buffer = new Uint8Array(READ_CHUNK_BYTES);
        const { bytesRead } = await handle.read(buffer, 0, buffer.length);
        if (bytesRead > 0) {
          controller.enqueue(buffer.subarray(0, bytesRead));
          return watch(controller);
        }
        await close();
        controller.close();
      } catch (error) {
        await close();
        throw error;
      }
    },
    cancel: close,
  }, { highWaterMark: 0 });
}
