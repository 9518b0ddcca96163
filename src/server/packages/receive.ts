/**
 * Receives an upload: writes, hashes and checks its bytes while they arrive, so that none is read again.
 *
 * @module
 */
import { open } from "node:fs/promises";
import { requireConsumed } from "../../package/archive/gunzip.ts";
import { type InspectedBytes, prefixesOf, PrefixHash } from "../../package/prefix_digests.ts";
import { inspectChunks, type PackageSummary } from "../../package/read.ts";
import { writeAll } from "../../util/node/files.ts";
import { UPLOAD_QUEUE_BYTES } from "../limits.ts";
import { ChunkQueue } from "./chunk_queue.ts";

/** What has arrived. */
export interface Received extends Pick<InspectedBytes, "sha256"> {
  /**
   * The package that the bytes are, or `null` if that was not asked for.
   *
   * @throws {HarnessError} `package_invalid` when they are none.
   */
  inspected(): Pick<PackageSummary, "manifest" | "prefixes"> | null;
}

/** Options for {@linkcode receivePackage}. */
export interface ReceiveOptions {
  /** Whether the bytes must be a valid package. */
  readonly inspect: boolean;
}

/**
 * Writes `chunks` to the new file `part` and returns when they are on the medium. One that is no package is received
 * to its end, because a damaged transfer must be told from it by the digest.
 */
export async function receivePackage(
  part: string,
  chunks: AsyncIterable<Uint8Array>,
  { inspect }: ReceiveOptions,
): Promise<Received> {
  const hash = new PrefixHash();
  const queues: ChunkQueue[] = [];
  const queue = () => {
    const made = new ChunkQueue(UPLOAD_QUEUE_BYTES);
    queues.push(made);
    return made;
  };
  const written = settled(writeChunks(part, queue()));
  const inspected = inspect ? settled(inspectChunks(queue())) : null;
  try {
    for await (const chunk of chunks) {
      const pushed = queues.map((queue) => queue.push(chunk));
      // While those who wait for it begin.
      hash.update(chunk);
      await Promise.all(pushed);
      const failed = written.failure();
      if (failed !== null) throw failed.error;
    }
    for (const one of queues) one.end();
    await Promise.all([written.ended, inspected?.ended]);
    written.result();
  } catch (error) {
    for (const one of queues) one.fail(error);
    // The file is closed before it is removed.
    await Promise.all([written.ended, inspected?.ended]);
    throw error;
  }
  const packed = hash.finish();
  return {
    sha256: packed.sha256,
    inspected: () => {
      const found = inspected?.result();
      if (found === undefined) return null;
      requireConsumed(found.size, packed.size);
      return { manifest: found.manifest, prefixes: prefixesOf(packed, found.unpackedBytes) };
    },
  };
}

async function writeChunks(part: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const handle = await open(part, "wx", 0o600);
  try {
    for await (const chunk of chunks) await writeAll(handle, chunk);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Work in the background, whose failure is looked at later. */
interface Settled<T> {
  /** Never rejects. */
  readonly ended: Promise<void>;
  /** Its error, if it has failed so far. */
  failure(): { error: unknown } | null;
  /** Its result or its error; call it after the end. */
  result(): T;
}

function settled<T>(work: Promise<T>): Settled<T> {
  let value: { result: T } | undefined;
  let failed: { error: unknown } | null = null;
  const ended = work.then((result) => {
    value = { result };
  }, (error) => {
    failed = { error };
  });
  return {
    ended,
    failure: () => failed,
    result: () => {
      if (failed !== null) throw (failed as { error: unknown }).error;
      if (value === undefined) throw new Error("called before the end");
      return value.result;
    },
  };
}
