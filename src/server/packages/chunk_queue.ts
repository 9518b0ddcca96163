/**
 * A bounded queue of chunks between one that receives and one that works on them.
 *
 * @module
 */

/** Chunks in order, of so many bytes at most. */
export class ChunkQueue implements AsyncIterable<Uint8Array> {
  readonly #maxBytes: number;
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  #ended = false;
  #failed: { error: unknown } | null = null;
  /** Whether the reader has left, at the end or before: what is pushed is dropped. */
  #left = false;
  #wakeReader: () => void = () => {};
  #wakeWriter: () => void = () => {};

  /** Holds `maxBytes`, and the chunk that exceeds them. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Adds a chunk, which must not change any more; resolves when there is room for the next. */
  async push(chunk: Uint8Array): Promise<void> {
    if (this.#left) return;
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    this.#wakeReader();
    while (this.#bytes > this.#maxBytes && !this.#left) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wakeWriter = resolve;
      await promise;
    }
  }

  /** Ends the queue after what is in it. */
  end(): void {
    this.#ended = true;
    this.#wakeReader();
  }

  /** Fails the reader, unless it has read everything. */
  fail(error: unknown): void {
    this.#failed = { error };
    this.#wakeReader();
  }

  #leave(): void {
    this.#left = true;
    this.#chunks.length = 0;
    this.#bytes = 0;
    this.#wakeWriter();
  }

  /** The chunks until {@linkcode end}; for one reader. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        if (this.#failed !== null) throw this.#failed.error;
        const chunk = this.#chunks.shift();
        if (chunk !== undefined) {
          this.#bytes -= chunk.length;
          this.#wakeWriter();
          yield chunk;
        } else if (this.#ended) {
          return;
        } else {
          const { promise, resolve } = Promise.withResolvers<void>();
          this.#wakeReader = resolve;
          await promise;
        }
      }
    } finally {
      this.#leave();
    }
  }
}
