/**
 * Group commit: changes that wait while the disk is busy share the next write and sync.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { HarnessError, messageOf } from "../errors.ts";
import {
  ASYNC_CHECK_INTERVAL_MS,
  ASYNC_SYNC_INTERVAL_MS,
  MAX_JOURNAL_BATCH_BYTES,
  MAX_PENDING_BYTES,
  MAX_PENDING_CHANGES,
} from "./limits.ts";
import type { Change, CommitRecord } from "../registry/store.ts";
import type { Journal } from "./journal/journal.ts";
import type { Durability } from "./durability.ts";
import { encodeRecord } from "./journal/line.ts";
import { checkChange, toRecord } from "./change_record.ts";

/** Options for {@linkcode CommitQueue}. */
export interface CommitQueueOptions {
  /** The journal to write to. */
  journal: Journal;
  /** Whether a change is synced before it is acknowledged. */
  durability: Durability;
  /** Size at which the journal starts a new segment. */
  segmentBytes: number;
  /** Bytes of changes that may wait. @default {MAX_PENDING_BYTES} */
  maxPendingBytes?: number | undefined;
  /** Seq of the last change. */
  seq: number;
  /** The revision of an entry, durable changes only; 0 = none. */
  revisionOf: (id: string) => number;
  /** Throws when what was written is not where it will be looked for; called before each acknowledgement. */
  assertInPlace?: (() => Promise<void>) | undefined;
  /** Called for each change once it is durable, in order. */
  onDurable: (record: CommitRecord, line: Buffer) => void;
  /** Called once when the disk fails; nothing is written until {@linkcode CommitQueue.restart}. */
  onFailure: (error: unknown) => Promise<void>;
}

interface Waiting {
  record: CommitRecord;
  line: Buffer;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** The one writer of the journal. */
export class CommitQueue {
  readonly #options: CommitQueueOptions;
  /** Revisions that ids will have when the waiting changes are durable; 0 = removed. */
  readonly #ahead = new Map<string, number>();
  #waiting: Waiting[] = [];
  /** Bytes of the waiting changes. */
  #bytes = 0;
  readonly #maxBytes: number;
  #seq: number;
  #worker: Promise<void> | null = null;
  #failed = false;
  #syncDue = false;
  #checkDue = false;
  #checkedAt = -Infinity;
  #syncTimer: ReturnType<typeof setTimeout> | null = null;

  /** A queue whose first change follows `options.seq`. */
  constructor(options: CommitQueueOptions) {
    this.#options = options;
    this.#seq = options.seq;
    this.#maxBytes = options.maxPendingBytes ?? MAX_PENDING_BYTES;
  }

  /** Makes a change durable. @throws {HarnessError} `conflict`, `storage_unavailable`. */
  add(change: Change): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      if (this.#failed) throw refused(null);
      const count = this.#waiting.length;
      if (count >= MAX_PENDING_CHANGES || this.#bytes >= this.#maxBytes) throw tooMany(count);
      checkChange(change, (id) => this.#ahead.get(id) ?? this.#options.revisionOf(id));
      const record = toRecord(change, this.#seq);
      const line = encodeRecord(record);
      this.#seq = record.seq;
      if (record.put !== undefined) this.#ahead.set(record.put.id, record.put.revision);
      if (record.remove !== undefined) this.#ahead.set(record.remove, 0);
      this.#waiting.push({ record, line, resolve, reject });
      this.#bytes += line.length;
      this.#wake();
    });
  }

  /** Checks the place now, in the turn of the writer: a failure is that of a write. */
  async check(): Promise<void> {
    if (this.#failed) return;
    this.#checkDue = true;
    this.#wake();
    await this.#worker;
  }

  /** Accepts changes again, the next one after `seq`. */
  restart(seq: number): void {
    this.#seq = seq;
    this.#failed = false;
  }

  /** Resolves when no change is waiting. */
  async close(): Promise<void> {
    await this.#worker;
    if (this.#syncTimer !== null) clearTimeout(this.#syncTimer);
    this.#syncTimer = null;
  }

  #wake(): void {
    // A microtask later, so that changes made in one turn share a batch.
    this.#worker ??= Promise.resolve().then(() => this.#work());
  }

  /** The only place from which the journal is written and synced. */
  async #work(): Promise<void> {
    while (!this.#failed && (this.#waiting.length > 0 || this.#syncDue || this.#checkDue)) {
      const batch = this.#takeBatch();
      try {
        if (this.#syncDue) await this.#sync();
        if (batch.length > 0) await this.#write(batch);
        await this.#assertInPlace();
        this.#options.journal.accept();
      } catch (error) {
        await this.#fail(error, batch);
        break;
      }
      for (const { record, line, resolve } of batch) {
        this.#forget(record);
        this.#options.onDurable(record, line);
        resolve();
      }
    }
    // In the same turn as the last check of the queue: no change can be left behind.
    this.#worker = null;
  }

  /** At each acknowledgement; in async mode, whose loss is bounded by time, only every few milliseconds. */
  async #assertInPlace(): Promise<void> {
    const { durability, assertInPlace } = this.#options;
    const isRecent = performance.now() - this.#checkedAt < ASYNC_CHECK_INTERVAL_MS;
    if (durability === "async" && isRecent && !this.#checkDue) return;
    this.#checkDue = false;
    await assertInPlace?.();
    this.#checkedAt = performance.now();
  }

  async #sync(): Promise<void> {
    this.#syncDue = false;
    await this.#options.journal.sync();
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    const { journal, durability, segmentBytes } = this.#options;
    if (journal.bytes >= segmentBytes) {
      const first = batch[0]?.record;
      if (first !== undefined) await journal.rotate(first.seq - first.events.length);
    }
    await journal.append(batch.map(({ line }) => line));
    if (durability === "sync") await journal.sync();
    else this.#syncSoon();
  }

  #takeBatch(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { line } of this.#waiting) {
      bytes += line.length;
      if (count > 0 && bytes > MAX_JOURNAL_BATCH_BYTES) break;
      count++;
    }
    const batch = this.#waiting.splice(0, count);
    for (const { line } of batch) this.#bytes -= line.length;
    return batch;
  }

  /** Refuses the batch and all changes behind it: their seqs build on the batch's. */
  async #fail(error: unknown, batch: readonly Waiting[]): Promise<void> {
    this.#failed = true;
    this.#syncDue = false;
    this.#checkDue = false;
    const all = [...batch, ...this.#waiting];
    this.#waiting = [];
    this.#bytes = 0;
    this.#ahead.clear();
    const failure = this.#options.onFailure(error);
    for (const { reject } of all) reject(refused(error));
    await failure;
  }

  #forget({ put, remove }: CommitRecord): void {
    if (put !== undefined && this.#ahead.get(put.id) === put.revision) this.#ahead.delete(put.id);
    if (remove !== undefined && this.#ahead.get(remove) === 0) this.#ahead.delete(remove);
  }

  #syncSoon(): void {
    this.#syncTimer ??= setTimeout(() => {
      this.#syncTimer = null;
      this.#syncDue = true;
      this.#wake();
    }, ASYNC_SYNC_INTERVAL_MS);
  }
}

function refused(cause: unknown): HarnessError {
  const why = cause === null ? "the disk refused the write" : failureText(cause);
  return new HarnessError(
    "storage_unavailable",
    `Cannot make the change durable: ${why}; it did not happen`,
    { cause, details: { outcome: "not_done" } },
  );
}

/** Why a write failed: our own reason, or the system's. */
export function failureText(error: unknown): string {
  if (error instanceof HarnessError) return error.message;
  return `the disk refused a write (${messageOf(error)})`;
}

function tooMany(count: number): HarnessError {
  return new HarnessError(
    "storage_unavailable",
    `Cannot make the change durable: ${count} changes are waiting for the disk; retry later`,
    { details: { outcome: "not_done" } },
  );
}
