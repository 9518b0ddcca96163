/**
 * Reading service logs: the last lines, and lines as they come. Bounded memory whatever a service writes.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import type { Command, Executor } from "../executor/executor.ts";
import { MAX_LOG_TAIL_LINES, STATUS_TIMEOUT_MS } from "../model/limits.ts";
import { MAX_FOLLOW_QUEUE_LINES, MAX_LOG_LINE_BYTES, MAX_TAIL_BYTES } from "./limits.ts";
import type { ControlOptions } from "./service_spec.ts";

/**
 * Cuts bytes into lines. A line longer than the limit comes in pieces; bytes that are no UTF-8 become U+FFFD; a
 * carriage return before the line end is dropped. Characters and lines may be split between chunks anywhere.
 */
export class LineSplitter {
  readonly #maxBytes: number;
  #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #rest: Uint8Array[] = [];
  #restBytes = 0;
  /** Whether a line end that comes first is that of the line before. */
  #endsNext = false;

  /** A splitter for lines of at most `maxBytes` bytes. */
  constructor(maxBytes: number = MAX_LOG_LINE_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** The lines that `chunk` completes. */
  push(chunk: Uint8Array): string[] {
    const lines: string[] = [];
    let from = this.#endsNext && chunk[0] === 10 ? 1 : 0;
    if (chunk.length > 0) this.#endsNext = false;
    while (from < chunk.length) {
      const whole = this.#restBytes === 0 ? this.#wholeUntil(chunk, from) : from;
      if (whole > from) {
        // All at once: to decode a line costs as much as to decode many, and a machine may print empty ones alone.
        const text = this.#decoder.decode(chunk.subarray(from, whole - 1));
        for (const line of text.split("\n")) lines.push(bare(line));
        from = whole;
        continue;
      }
      const room = this.#maxBytes - this.#restBytes;
      const end = chunk.subarray(from, from + room).indexOf(10);
      if (end >= 0) {
        this.#keep(chunk.subarray(from, from + end));
        lines.push(this.#take());
        from += end + 1;
        continue;
      }
      this.#keep(chunk.subarray(from, from + room));
      if (chunk.length - from < room) break;
      from += room;
      // The line end may be the very next byte: then this was all of the line.
      this.#endsNext = from === chunk.length;
      if (chunk[from] === 10) from++;
      lines.push(this.#take());
    }
    return lines;
  }

  /** The last line when it had no line end, else nothing. */
  flush(): string[] {
    return this.#restBytes === 0 ? [] : [this.#take()];
  }

  /** Where the lines that begin at `from` end: those of the next bytes, so many that none of them is too long. */
  #wholeUntil(chunk: Uint8Array, from: number): number {
    return from + chunk.subarray(from, from + this.#maxBytes).lastIndexOf(10) + 1;
  }

  #keep(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#rest.push(bytes.slice());
    this.#restBytes += bytes.length;
  }

  #take(): string {
    const text = this.#rest.map((part) => this.#decoder.decode(part, { stream: true })).join("") +
      this.#decoder.decode();
    this.#rest = [];
    this.#restBytes = 0;
    return bare(text);
  }
}

/** A line without the carriage return at its end, and without the byte order mark that it may begin with. */
function bare(line: string): string {
  const text = line.startsWith("\ufeff") ? line.slice(1) : line;
  return text.endsWith("\r") ? text.slice(0, -1) : text;
}

/** Runs a command that prints a log and gives its last `lines` lines. */
export async function tailLog(
  executor: Executor,
  command: Command,
  lines: number,
  options: ControlOptions = {},
): Promise<string[]> {
  const wanted = Math.min(lines, MAX_LOG_TAIL_LINES);
  const splitter = new LineSplitter();
  const kept: string[] = [];
  let bytes = 0;
  const keep = (more: string[]) => {
    for (const line of more) {
      kept.push(line);
      bytes += line.length;
    }
    while (kept.length > wanted || (bytes > MAX_TAIL_BYTES && kept.length > 1)) {
      bytes -= kept.shift()?.length ?? 0;
    }
  };
  const { exitCode, stderr } = await executor.run(command, {
    ...options,
    timeoutMs: STATUS_TIMEOUT_MS,
    onStdout: (chunk) => keep(splitter.push(chunk)),
  });
  keep(splitter.flush());
  if (exitCode !== 0) {
    const why = stderr.trim() || kept.at(-1) || `exit code ${exitCode}`;
    throw new HarnessError("unavailable", `Cannot read the log on ${executor.host}: ${why}`);
  }
  return kept;
}

/** Runs a command that prints a log for ever and gives its lines, until `signal` fires or the iterator is closed. */
export async function* followLog(
  executor: Executor,
  command: Command,
  options: ControlOptions = {},
): AsyncGenerator<string> {
  const closed = new AbortController();
  const signal = AbortSignal.any([closed.signal, ...(options.signal ? [options.signal] : [])]);
  const splitter = new LineSplitter();
  const queue: string[] = [];
  let dropped = 0;
  let wake = Promise.withResolvers<void>();
  const onStdout = (chunk: Uint8Array) => {
    for (const line of splitter.push(chunk)) {
      // A slow reader gets a line on what it missed; the log itself never waits.
      if (queue.length >= MAX_FOLLOW_QUEUE_LINES) dropped++;
      else queue.push(line);
    }
    wake.resolve();
  };
  let ended: unknown = null;
  const run = executor.run(command, { signal, onStdout }).then(
    (result) =>
      ended = new HarnessError(
        "unavailable",
        `Cannot go on following the log on ${executor.host}: the reader ended with ${
          result.exitCode ?? result.signal
        }`,
      ),
    (error) => ended = error,
  ).finally(() => wake.resolve());
  try {
    while (true) {
      await wake.promise;
      wake = Promise.withResolvers();
      while (queue.length > 0) yield queue.shift() as string;
      if (dropped > 0) {
        yield `[${dropped} lines left out: the reader was too slow]`;
        dropped = 0;
      }
      if (ended !== null && queue.length === 0) break;
    }
    if (!signal.aborted) throw ended;
  } finally {
    closed.abort();
    await run;
  }
}
