/**
 * Runs one process to its end, local or in an SSH channel: feeds stdin with backpressure, keeps the end of the output,
 * and kills the whole process group on timeout or abort.
 *
 * @module
 */
import type { Readable, Writable } from "node:stream";
import { HarnessError } from "../errors.ts";
import {
  KILL_GRACE_MS,
  MAX_COMMAND_OUTPUT_BYTES,
  MAX_COMMAND_PRINTED_BYTES,
  OUTPUT_DRAIN_MS,
  OUTPUT_PAUSE_MS,
  OUTPUT_PIECE_BYTES,
  PRINTED_OF_KEPT,
  STDIN_CHUNK_BYTES,
  UNPACED_OUTPUT_BYTES,
} from "./limits.ts";
import type { RunOptions, RunResult, Stdin } from "./executor.ts";
import { Tail } from "./output.ts";
import { settleWithin } from "../util/async.ts";

/** How a process ended. */
export interface Exit {
  /** Exit code, or `null` when a signal ended it. */
  code: number | null;
  /** Signal name, or `null`. */
  signal: string | null;
}

/** A running process. */
export interface Process {
  /** Its standard input. */
  readonly stdin: Writable;
  /** Its standard output. */
  readonly stdout: Readable;
  /** Its standard error. */
  readonly stderr: Readable;
  /** Settles when it exited; rejects when that cannot be known any more. Never unhandled. */
  readonly exited: Promise<Exit>;
  /** Resolves when its output has ended, too. */
  readonly closed: Promise<void>;
  /** Filters stdout; an SSH session removes its announcement here. */
  filter?(sink: (chunk: Uint8Array) => void): { push(chunk: Uint8Array): void; end(): void };
  /** Kills the whole process group; resolves when it is gone, or could not be killed. */
  kill(): Promise<void>;
  /** Releases its streams, whether they ended or not. */
  release(): void;
}

/** Options for {@linkcode runProcess}. */
export interface RunProcessOptions {
  /** The caller's options. */
  run: RunOptions;
  /** The command in messages, such as `"tar" on web1`. */
  what: string;
  /** Fires when the executor is closed. */
  closing: AbortSignal;
}

/** Rejects when the command has to stop; disposing removes its timer and listeners. */
class Stop implements Disposable {
  readonly #cleanups: Array<() => void> = [];
  readonly promise: Promise<never>;
  readonly fail: (reason: unknown) => void;

  constructor(options: RunProcessOptions) {
    const { promise, reject } = Promise.withResolvers<never>();
    // Raced by those who wait; a rejection after that is of no interest.
    promise.catch(() => {});
    this.promise = promise;
    this.fail = reject;
    const { timeoutMs, signal } = options.run;
    for (const source of [signal, options.closing]) this.#follow(source);
    if (timeoutMs === undefined) return;
    const timer = setTimeout(() => reject(timeoutError(options.what, timeoutMs)), timeoutMs);
    this.#cleanups.push(() => clearTimeout(timer));
  }

  #follow(signal: AbortSignal | undefined): void {
    if (signal === undefined) return;
    const onAbort = (): void => this.fail(signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    this.#cleanups.push(() => signal.removeEventListener("abort", onAbort));
  }

  [Symbol.dispose](): void {
    for (const cleanup of this.#cleanups.splice(0)) cleanup();
  }
}

function timeoutError(what: string, timeoutMs: number): HarnessError {
  return new HarnessError(
    "timeout",
    `Cannot finish ${what}: still running after ${timeoutMs} ms; it was killed with its children`,
    { details: { timeout_ms: timeoutMs } },
  );
}

function printedTooMuch(what: string, maxBytes: number): HarnessError {
  const mib = Math.round(maxBytes / 1024 / 1024);
  return new HarnessError(
    "too_large",
    `Cannot finish ${what}: it printed more than ${mib} MiB and was killed; check what the login shell prints`,
    { details: { reason: "output", max_bytes: maxBytes } },
  );
}

function stdinStream(stdin: Stdin | undefined): ReadableStream<Uint8Array> | Uint8Array {
  if (stdin === undefined) return new Uint8Array();
  return typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin;
}

/** Writes one chunk; returns false when the command does not read any more. */
async function write(target: Writable, chunk: Uint8Array, gone: Promise<false>): Promise<boolean> {
  for (let at = 0; at < chunk.length; at += STDIN_CHUNK_BYTES) {
    if (target.destroyed || !target.writable) return false;
    const piece = chunk.subarray(at, at + STDIN_CHUNK_BYTES);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    target.write(piece, (error) => resolve(!error));
    // One piece at a time, so the queue never exceeds it, however slow the reader is.
    if (!await Promise.race([promise, gone])) return false;
  }
  return true;
}

/** Feeds stdin to its end. A command that stops reading is not a failure; a source that fails is one. */
async function feed(process: Process, stdin: Stdin | undefined, stop: Stop): Promise<void> {
  const target = process.stdin;
  const { promise: gone, resolve } = Promise.withResolvers<false>();
  target.on("error", () => resolve(false));
  target.once("close", () => resolve(false));
  process.exited.then(() => resolve(false), () => resolve(false));
  const source = stdinStream(stdin);
  if (source instanceof Uint8Array) {
    if (await write(target, source, gone)) target.end();
    return;
  }
  const reader = source.getReader();
  try {
    while (true) {
      const next = await Promise.race([reader.read(), gone, stop.promise]);
      if (next === false) break;
      if (next.done) return void target.end();
      if (!await write(target, next.value, gone)) break;
    }
    await reader.cancel();
  } catch (error) {
    // The command must not take partial input for complete input: it is killed before stdin ends.
    stop.fail(error);
    await reader.cancel(error).catch(() => {});
  }
}

/** The output of one stream: passed to the caller's callback, or kept as a tail. */
class Output {
  readonly tail: Tail;
  lastAt = 0;
  readonly sink: (chunk: Uint8Array) => void;
  readonly #stop: Stop;
  readonly #what: string;
  readonly #maxPrinted: number;
  /** Printed bytes that no callback has consumed. */
  #untaken = 0;
  #pauseAt = UNPACED_OUTPUT_BYTES;
  #pause: ReturnType<typeof setTimeout> | undefined;

  constructor(
    maxBytes: number,
    callback: ((chunk: Uint8Array) => void) | undefined,
    stop: Stop,
    what: string,
  ) {
    this.tail = new Tail(maxBytes);
    this.#maxPrinted = Math.max(MAX_COMMAND_PRINTED_BYTES, PRINTED_OF_KEPT * maxBytes);
    this.#stop = stop;
    this.#what = what;
    this.sink = (chunk) => {
      this.lastAt = performance.now();
      if (callback === undefined) return this.tail.push(chunk);
      this.#untaken -= chunk.length;
      try {
        callback(chunk);
      } catch (error) {
        stop.fail(error);
      }
    };
  }

  /**
   * Counts what was printed; returns false when it is too much. A command that prints a lot is read slowly, so that hosts
   * that print endlessly leave time for the others.
   */
  allows(chunk: Uint8Array, stream: Readable): boolean {
    this.#untaken += chunk.length;
    if (this.#untaken > this.#pauseAt) {
      this.#pauseAt = this.#untaken + OUTPUT_PIECE_BYTES;
      stream.pause();
      this.#pause = setTimeout(() => stream.resume(), OUTPUT_PAUSE_MS);
    }
    if (this.#untaken <= this.#maxPrinted) return true;
    this.#stop.fail(printedTooMuch(this.#what, this.#maxPrinted));
    return false;
  }

  /** Ends reading. */
  end(): void {
    clearTimeout(this.#pause);
  }
}

/** Waits until the output ends, or is silent for a while after the command exited. */
async function drained(closed: Promise<void>, outputs: readonly Output[]): Promise<void> {
  let done = false;
  const end = closed.then(() => {
    done = true;
  });
  let quietSince = performance.now();
  while (!done) {
    const waitMs = quietSince + OUTPUT_DRAIN_MS - performance.now();
    if (waitMs <= 0) return;
    await settleWithin(end, waitMs);
    quietSince = Math.max(quietSince, ...outputs.map((output) => output.lastAt));
  }
}

/**
 * Runs `process` to its end.
 *
 * @throws {HarnessError} `timeout`, or `unreachable` from the process.
 * @throws the reason of an abort, or the error of the stdin stream.
 */
export async function runProcess(
  process: Process,
  options: RunProcessOptions,
): Promise<RunResult> {
  const { run } = options;
  const startedAt = performance.now();
  using stop = new Stop(options);
  const maxBytes = run.maxOutputBytes ?? MAX_COMMAND_OUTPUT_BYTES;
  const stdout = new Output(maxBytes, run.onStdout, stop, options.what);
  const stderr = new Output(maxBytes, run.onStderr, stop, options.what);
  const filter = process.filter?.(stdout.sink);
  process.stdout.on("data", (chunk) => {
    if (!stdout.allows(chunk, process.stdout)) return;
    if (filter === undefined) stdout.sink(chunk);
    else filter.push(chunk);
  });
  process.stdout.once("end", () => filter?.end());
  process.stderr.on("data", (chunk) => {
    if (stderr.allows(chunk, process.stderr)) stderr.sink(chunk);
  });
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  const feeding = feed(process, run.stdin, stop);
  try {
    const exit = await Promise.race([process.exited, stop.promise]);
    await Promise.race([drained(process.closed, [stdout, stderr]), stop.promise]);
    // A source whose cancel() never ends must not hold back the result.
    await settleWithin(feeding, KILL_GRACE_MS);
    return {
      exitCode: exit.code,
      signal: exit.signal,
      stdout: stdout.tail.text(),
      stderr: stderr.tail.text(),
      truncated: stdout.tail.truncated || stderr.tail.truncated,
      durationMs: Math.round(performance.now() - startedAt),
    };
  } catch (error) {
    stop.fail(error);
    await settleWithin(process.kill(), KILL_GRACE_MS);
    await settleWithin(process.exited, KILL_GRACE_MS);
    throw error;
  } finally {
    process.release();
    stdout.end();
    stderr.end();
    await settleWithin(process.closed, KILL_GRACE_MS);
    await settleWithin(feeding, KILL_GRACE_MS);
  }
}
