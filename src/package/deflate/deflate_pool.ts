/**
 * Compresses blocks in threads.
 *
 * @module
 */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { HarnessError } from "../../errors.ts";
import { MAX_DEFLATE_THREADS, MIN_THREAD_BYTES } from "../limits.ts";
import { type BlockDeflate, openDeflate, PACKAGE_DEFLATE, wasmBytes } from "./block_deflate.ts";

/**
 * What a thread runs: text, so that it needs no file of its own in a bundle or a compiled program. Blocks come and go in
 * shared memory, because Deno takes a fifth of a second to post one.
 */
const THREAD = `
const { parentPort, workerData } = require("node:worker_threads");
const { wasm, options, shared, slotBytes } = workerData;
const deflate = (${openDeflate})(wasm, options);
parentPort.on("message", ([slot, bytes]) => {
  const memory = new Uint8Array(shared, slot * slotBytes, slotBytes);
  const packed = deflate(memory.slice(0, bytes));
  memory.set(packed);
  parentPort.postMessage([slot, packed.byteLength]);
});
`;

/** A block, or what was made of it: that is hardly longer. */
const SLOT_BYTES = PACKAGE_DEFLATE.blockBytes + 64 * 1024;
/** Blocks of a thread: one that it works on, and the next. */
const SLOTS = 2;

/** A block that a thread works on or that waits for one. */
interface Job {
  readonly block: Uint8Array;
  readonly resolve: (packed: Uint8Array) => void;
  readonly reject: (error: HarnessError) => void;
}

interface Thread {
  readonly worker: Worker;
  readonly memory: Uint8Array;
  readonly jobs: Array<Job | null>;
}

/** Threads that compress. Without any, and where one fails, this thread does the work: to the same bytes. */
export class DeflatePool implements AsyncDisposable {
  readonly #threads: Thread[] = [];
  readonly #waiting: Job[] = [];
  readonly #wasm = wasmBytes();
  #here: BlockDeflate | null = null;
  /** Blocks to compress at the same time: enough that no thread waits for the one whose block is the next. */
  readonly mostBlocks: number;

  /**
   * Starts threads, which are ready a while later: meanwhile files can be hashed.
   *
   * @param about How many bytes there will be, about: a few are not worth a thread.
   */
  constructor({ about }: { about: number }) {
    const useful = Math.floor(about / MIN_THREAD_BYTES);
    const most = Math.min(availableParallelism(), MAX_DEFLATE_THREADS, useful);
    const threads = most < 2 ? 0 : most;
    this.mostBlocks = 4 * threads;
    try {
      for (let i = 0; i < threads; i++) this.#start();
    } catch {
      // Threads are not allowed here.
    }
  }

  /** Compresses a block, which must stay the same until then. */
  deflate(block: Uint8Array): Promise<Uint8Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.#waiting.push({ block, resolve, reject });
    this.#dispatch();
    return promise;
  }

  #dispatch(): void {
    // The first slot of each thread before the second of any.
    for (let slot = 0; slot < SLOTS; slot++) {
      for (const thread of this.#threads) {
        if (thread.jobs[slot] !== null) continue;
        const job = this.#waiting.shift();
        if (job === undefined) return;
        thread.jobs[slot] = job;
        thread.memory.set(job.block, slot * SLOT_BYTES);
        thread.worker.postMessage([slot, job.block.byteLength]);
      }
    }
    if (this.#threads.length > 0) return;
    for (const job of this.#waiting.splice(0)) this.#deflateHere(job);
  }

  /** Never throws: an error event of a thread may be what calls it, and nobody catches that. */
  #deflateHere({ block, resolve, reject }: Job): void {
    try {
      this.#here ??= openDeflate(this.#wasm, PACKAGE_DEFLATE);
      resolve(this.#here(block));
    } catch (error) {
      reject(cannotCompress(error));
    }
  }

  #start(): void {
    const shared = new SharedArrayBuffer(SLOT_BYTES * SLOTS);
    const workerData = {
      wasm: this.#wasm,
      options: PACKAGE_DEFLATE,
      shared,
      slotBytes: SLOT_BYTES,
    };
    const worker = new Worker(THREAD, { eval: true, workerData });
    const jobs: Thread["jobs"] = Array.from({ length: SLOTS }, () => null);
    const thread: Thread = { worker, memory: new Uint8Array(shared), jobs };
    worker.on("message", ([slot, bytes]: [number, number]) => {
      const job = jobs[slot];
      jobs[slot] = null;
      const at = slot * SLOT_BYTES;
      job?.resolve(thread.memory.slice(at, at + bytes));
      this.#dispatch();
    });
    worker.on("error", () => {
      const at = this.#threads.indexOf(thread);
      if (at !== -1) this.#threads.splice(at, 1);
      this.#waiting.unshift(...jobs.filter((job) => job !== null));
      this.#dispatch();
    });
    this.#threads.push(thread);
  }

  /** Ends the threads. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#threads.splice(0).map(({ worker }) => worker.terminate()));
  }
}

function cannotCompress(cause: unknown): HarnessError {
  const why = "WebAssembly" in globalThis
    ? `WebAssembly fails here: ${(cause as Error).message}`
    : "WebAssembly is turned off here; start the runtime without options such as --jitless";
  return new HarnessError("unavailable", `Cannot compress the package: ${why}`, { cause });
}
