/**
 * Unpacks a `.gz` file, with a limit on the ratio, refusing trailing data.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { HarnessError } from "../../errors.ts";
import { EventLoopSlice } from "../../util/steps.ts";
import { EVENT_LOOP_SLICE_MS } from "../limits.ts";
import {
  MAX_PACKAGE_BYTES,
  MAX_UNPACK_RATIO,
  MAX_UNPACKED_BYTES,
  UNPACK_RATIO_FLOOR_BYTES,
} from "../../model/limits.ts";
import { invalid } from "../errors.ts";
import { type InspectedBytes, PrefixHash } from "../prefix_digests.ts";
import { FORMAT_BYTES, otherFormat } from "./other_format.ts";

const READ_BYTES = 256 * 1024;
const TRAILING_DATA = "there is data after the end of the gzip file";

/**
 * The unpacked bytes of the file at `path`.
 *
 * @returns Digests and size of the packed file, as the generator's return value.
 * @throws {HarnessError} `not_found` without the file, `package_invalid` when it is not a valid gzip file.
 */
export async function* gunzipFile(
  path: string,
  options: { signal?: AbortSignal; onRead?: (bytes: number) => void } = {},
): AsyncGenerator<Uint8Array, InspectedBytes> {
  const size = await packedSize(path);
  const digest = new PrefixHash();
  const hashed = async function* () {
    for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES })) {
      digest.update(chunk);
      options.onRead?.(chunk.length);
      yield chunk;
    }
  };
  const consumed = yield* gunzipChunks(hashed(), options);
  requireConsumed(consumed, size);
  return digest.finish();
}

/** Refuses a packed file of `size` bytes of which the gzip data are only the first: it can end before the file does. */
export function requireConsumed(consumed: number, size: number): void {
  if (consumed !== size) throw invalid("trailing_data", TRAILING_DATA);
}

/**
 * The unpacked bytes of a gzip file that comes in chunks.
 *
 * @returns How many packed bytes the gzip data had. The caller refuses others after them, see
 * {@linkcode requireConsumed}.
 * @throws {HarnessError} `package_invalid` when they are no valid gzip file.
 */
export async function* gunzipChunks(
  source: AsyncIterable<Uint8Array>,
  options: { signal?: AbortSignal } = {},
): AsyncGenerator<Uint8Array, number> {
  const gunzip = createGunzip({ chunkSize: 128 * 1024 });
  let head = new Uint8Array();
  const fed = pipeline(
    source,
    async function* (chunks: AsyncIterable<Uint8Array>) {
      for await (const chunk of chunks) {
        if (head.length < FORMAT_BYTES) head = firstBytes(head, chunk);
        yield chunk;
      }
    },
    gunzip,
  );
  // Its failure also ends the loop below, which handles it.
  fed.catch(() => {});
  let bytes = 0;
  const slice = new EventLoopSlice(EVENT_LOOP_SLICE_MS);
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      options.signal?.throwIfAborted();
      bytes += chunk.byteLength;
      refuseBomb(bytes, gunzip.bytesWritten);
      yield chunk;
      // A small input can expand so much that timers and sockets would wait for seconds.
      if (slice.isOver()) await slice.next();
    }
    return gunzip.bytesWritten;
  } catch (error) {
    throw gzipError(error, head);
  } finally {
    gunzip.destroy();
    await fed.catch(() => {});
  }
}

async function packedSize(path: string): Promise<number> {
  const found = await stat(path).catch((cause) => {
    throw new HarnessError("not_found", `Cannot read the package ${path}: there is no such file`, {
      cause,
    });
  });
  if (!found.isFile()) {
    throw new HarnessError("not_found", `Cannot read the package ${path}: it is not a file`);
  }
  if (found.size > MAX_PACKAGE_BYTES) {
    throw invalid("too_large", `it has ${found.size} bytes, more than ${MAX_PACKAGE_BYTES}`);
  }
  return found.size;
}

function refuseBomb(unpacked: number, packed: number): void {
  if (unpacked > UNPACK_RATIO_FLOOR_BYTES && unpacked > packed * MAX_UNPACK_RATIO) {
    throw invalid("gzip_bomb", `it unpacks to more than ${MAX_UNPACK_RATIO} times its size`);
  }
  if (unpacked > MAX_UNPACKED_BYTES * 2) {
    throw invalid("too_large", `it unpacks to more than ${MAX_UNPACKED_BYTES} bytes`);
  }
}

function firstBytes(head: Uint8Array, chunk: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([...head, ...chunk.subarray(0, FORMAT_BYTES - head.length)]);
}

function gzipError(error: unknown, head: Uint8Array): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "Z_BUF_ERROR") return invalid("truncated", "the gzip file ends too early");
  if (code !== "Z_DATA_ERROR") return error;
  const message = (error as Error).message;
  if (message !== "incorrect header check") {
    return invalid("bad_gzip", `it is not a valid gzip file: ${message}`);
  }
  // The file began as gzip: the bad header follows the first member.
  if (head[0] === 0x1f && head[1] === 0x8b) return invalid("trailing_data", TRAILING_DATA);
  const other = otherFormat(head);
  return invalid(
    "bad_gzip",
    `it is ${other === null ? "not" : `${other}, not`} a gzip file: make it with package build`,
  );
}
