/**
 * The registry on disk: a snapshot and a journal of the changes after it. The files are described in
 * docs/persistence.md.
 *
 * A change is acknowledged only when its line is on the disk; changes that wait share one sync. After a
 * failed write or sync nothing is pretended: all waiting changes are refused, and so are new ones, until a
 * fresh snapshot and a new journal segment could be written.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { Mutex } from "../util/mutex.ts";
import { getLogger, type Logger } from "../util/log.ts";
import { HarnessError, messageOf } from "../errors.ts";
import {
  HISTORY_READ_BYTES,
  JOURNAL_SEGMENT_BYTES,
  MAX_BACKUP_JOURNAL_BYTES,
  MIN_HISTORY_EVENTS,
  STORAGE_RETRY_MS,
} from "./limits.ts";
import type { RegistryEvent } from "../model/event.ts";
import { type StoredEntry, storedOf } from "../registry/entry_text.ts";
import type { Change, CommitRecord, LoadedState, Store, StoreListener } from "../registry/store.ts";
import { AutoSave } from "./auto_save.ts";
import { CommitQueue, failureText } from "./commit_queue.ts";
import { type Disk, localDisk } from "./disk.ts";
import type { Journal } from "./journal/journal.ts";
import type { Durability } from "./durability.ts";
import { JournalHistory } from "./journal/history.ts";
import { LeaseTable } from "./lease_table.ts";
import type { LineRing } from "./line_ring.ts";
import { load, strictRefusal } from "./load.ts";
import { acquireOwnerLock, type OwnerLock } from "./state_dir/owner_lock.ts";
import { repair } from "./repair.ts";
import { saveSnapshot } from "./snapshot.ts";
import { assertInPlace, assertVacant } from "./state_dir/in_place.ts";

/** Options for {@linkcode FileStore}. */
export interface FileStoreOptions {
  /** State dir; made if it is not there. */
  dir: string;
  /**
   * `sync`: a change is acknowledged when it is on the medium. `async`: when the kernel has it; it is synced
   * within a second. @default {"sync"}
   */
  durability?: Durability | undefined;
  /** Refuses to open a damaged state instead of repairing it. @default {false} */
  strict?: boolean | undefined;
  /** The files. @default {those of this machine} */
  disk?: Disk | undefined;
  /** Sizes and pauses other than those of limits.ts; tests reach them sooner this way. */
  tuning?: FileStoreTuning | undefined;
}

/** Sizes and pauses of a {@linkcode FileStore}. */
export interface FileStoreTuning {
  /** Size at which the journal starts a new segment. @default {JOURNAL_SEGMENT_BYTES} */
  segmentBytes?: number | undefined;
  /** Events that `history()` can always give. @default {MIN_HISTORY_EVENTS} */
  historyEvents?: number | undefined;
  /** Bytes of them kept in memory; the rest is read from the journal. @default {HISTORY_RING_BYTES} */
  historyBytes?: number | undefined;
  /** Bytes of changes that may wait for the disk. @default {MAX_PENDING_BYTES} */
  pendingBytes?: number | undefined;
  /** Quiet time before the snapshot is saved. @default {SNAPSHOT_DELAY_MS} */
  snapshotDelayMs?: number | undefined;
  /** Pause between attempts to accept changes again. @default {STORAGE_RETRY_MS} */
  retryMs?: number | undefined;
}

/** Parts of an open store. */
interface OpenState {
  epoch: string;
  listener: StoreListener;
  journal: Journal;
  history: JournalHistory;
  queue: CommitQueue;
  ring: LineRing;
  leases: LeaseTable;
}

/** Durable store of a registry in a directory of one machine. */
export class FileStore implements Store {
  readonly #dir: string;
  readonly #disk: Disk;
  readonly #durability: Durability;
  readonly #strict: boolean;
  readonly #log: Logger = getLogger(["harness", "storage"]);
  readonly #saving = new Mutex();
  readonly #autoSave: AutoSave;
  readonly #tuning: FileStoreTuning;
  #services = new Map<string, StoredEntry>();
  #lock: OwnerLock | null = null;
  #open: OpenState | null = null;
  #snapshotSeq: number | null = null;
  #problem: string | null = null;
  #retry: ReturnType<typeof setTimeout> | null = null;
  #recovering: Promise<void> | null = null;
  #closing: Promise<void> | null = null;

  /** A store in `options.dir`; nothing is touched before {@linkcode open}. */
  constructor(options: FileStoreOptions) {
    this.#dir = options.dir;
    this.#disk = options.disk ?? localDisk();
    this.#durability = options.durability ?? "sync";
    this.#strict = options.strict ?? false;
    this.#tuning = options.tuning ?? {};
    this.#autoSave = new AutoSave(() => this.#saveQuietly(), this.#tuning.snapshotDelayMs);
  }

  /** See {@linkcode Store.open}. */
  async open(listener: StoreListener): Promise<LoadedState> {
    if (this.#lock !== null || this.#closing !== null) {
      throw new HarnessError("conflict", `Cannot open ${this.#dir}: this store was opened before`);
    }
    try {
      await this.#disk.makeDir(this.#dir);
      this.#lock = await acquireOwnerLock(this.#dir);
      return await this.#load(listener);
    } catch (error) {
      await this.#lock?.release();
      this.#lock = null;
      if (error instanceof HarnessError) throw error;
      throw new HarnessError(
        "storage_unavailable",
        `Cannot open ${this.#dir}: ${messageOf(error)}; check its owner, mode and free space`,
        { details: { dir: this.#dir }, cause: error },
      );
    }
  }

  /** See {@linkcode Store.commit}. */
  commit(change: Change): Promise<void> {
    if (this.#open === null || this.#closing !== null) {
      return Promise.reject(unavailable("the store is closed"));
    }
    if (this.#problem !== null) return Promise.reject(unavailable(this.#problem));
    return this.#open.queue.add(change);
  }

  /** See {@linkcode Store.check}. */
  async check(): Promise<void> {
    if (this.#open !== null && this.#closing === null) await this.#open.queue.check();
  }

  /** See {@linkcode Store.history}. */
  async history(
    afterSeq: number,
    limit: number,
    maxBytes: number = HISTORY_READ_BYTES,
  ): Promise<RegistryEvent[] | null> {
    if (this.#open === null) return null;
    const { ring, journal, history } = this.#open;
    const wanted = { after: afterSeq, limit, maxBytes };
    const recent = ring.eventsAfter(wanted);
    if (recent !== null || afterSeq > ring.seq || afterSeq < journal.floor) return recent;
    if (limit === 0) return [];
    const source = { floor: journal.floor, segments: () => journal.segments(ring.seq) };
    return await history.read(source, wanted);
  }

  /** See {@linkcode Store.lease}. */
  lease(id: string, ttlMs: number): Promise<number> {
    if (this.#open === null || this.#closing !== null) {
      return Promise.reject(unavailable("the store is closed"));
    }
    return Promise.resolve(this.#open.leases.take(id, ttlMs));
  }

  /** See {@linkcode Store.endLease}. */
  endLease(id: string): void {
    this.#open?.leases.end(id);
  }

  /** Saves a snapshot now. @throws the error of the disk. */
  async save(): Promise<void> {
    await this.#save();
  }

  /** See {@linkcode Store.close}. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #load(listener: StoreListener): Promise<LoadedState> {
    const { historyBytes: maxBytes } = this.#tuning;
    const loaded = await load(this.#disk, this.#dir, { keep: this.#historyEvents, maxBytes });
    if (this.#strict && loaded.damaged) throw strictRefusal(this.#dir, loaded);
    const epoch = loaded.epoch ?? crypto.randomUUID();
    const files = { disk: this.#disk, dir: this.#dir, epoch, durability: this.#durability };
    const { journal, snapshotSeq } = await repair(files, loaded);
    const { ring, services, seq, warnings } = loaded;
    this.#services = services;
    this.#snapshotSeq = snapshotSeq;
    const queue = new CommitQueue({
      journal,
      durability: this.#durability,
      maxPendingBytes: this.#tuning.pendingBytes,
      segmentBytes: this.#tuning.segmentBytes ?? JOURNAL_SEGMENT_BYTES,
      seq,
      revisionOf: (id) => this.#services.get(id)?.revision ?? 0,
      assertInPlace: () => assertInPlace({ dir: this.#dir, journal, lock: this.#heldLock() }),
      onDurable: (record, line) => this.#apply(record, line),
      onFailure: (error) => this.#fail(error),
    });
    const leases = new LeaseTable((id) => listener.onLeaseExpired(id));
    const history = new JournalHistory(this.#disk, this.#dir);
    this.#open = { epoch, listener, journal, history, queue, ring, leases };
    if (seq !== snapshotSeq) this.#autoSave.touch();
    return { epoch, seq, services: [...services.values()], warnings };
  }

  #apply(record: CommitRecord, line: Buffer): void {
    if (record.put !== undefined) this.#services.set(record.put.id, storedOf(record.put));
    if (record.remove !== undefined) this.#services.delete(record.remove);
    this.#open?.ring.add(record.seq - record.events.length + 1, record.seq, line);
    this.#open?.listener.onCommit(record);
    this.#autoSave.touch(line.length);
  }

  /** Stops accepting changes and schedules a retry. */
  async #fail(error: unknown): Promise<void> {
    const { journal, listener } = this.#opened();
    this.#report(error, listener);
    try {
      await journal.cutBack();
    } catch (cause) {
      // The segment is left as it is: the next one records where this one ends.
      this.#log.warn("Cannot cut the refused lines off the journal: {error}", {
        error: cause,
      });
    }
    this.#retryLater();
  }

  #report(error: unknown, listener: StoreListener): void {
    this.#problem = `${failureText(error)} (${new Date().toISOString()})`;
    this.#log.error("Changes are refused: {problem}", { problem: this.#problem, error });
    listener.onHealth?.(this.#problem);
  }

  #retryLater(): void {
    if (this.#closing !== null) return;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.#recovering = this.#recover().finally(() => this.#recovering = null);
    }, this.#tuning.retryMs ?? STORAGE_RETRY_MS);
  }

  /** Accepts changes again once a fresh snapshot and a new segment are on the medium. */
  async #recover(): Promise<void> {
    const { journal, ring, queue, listener } = this.#opened();
    try {
      const isCut = await this.#takePlace(listener);
      const next = await journal.prepareSegment(ring.seq);
      try {
        await this.#save();
      } catch (error) {
        await next.file.close();
        throw error;
      }
      await journal.swap(next, ring.seq);
      if (isCut) await this.#beginAnew();
    } catch (error) {
      this.#log.debug("Changes are still refused: {error}", { error });
      this.#retryLater();
      return;
    }
    queue.restart(ring.seq);
    this.#problem = null;
    this.#log.info("The disk takes writes again: changes are accepted");
    listener.onHealth?.(null);
  }

  /** Takes the directory that is there now, unless it is another's. Returns whether the journal is gone. */
  async #takePlace(listener: StoreListener): Promise<boolean> {
    const { epoch, journal } = this.#opened();
    const lock = this.#heldLock();
    const isGone = !await journal.isInPlace();
    if (isGone) {
      const own = { epoch, snapshotSeq: this.#snapshotSeq };
      await assertVacant(this.#disk, this.#dir, own).catch((error) => {
        const isReplaced = error instanceof HarnessError;
        if (isReplaced && !this.#problem?.includes(error.message)) this.#report(error, listener);
        throw error;
      });
    }
    if (!await lock.isInPlace()) {
      this.#lock = await acquireOwnerLock(this.#dir);
      await lock.release();
    }
    return isGone && journal.isCut;
  }

  /** After a new directory was taken: earlier changes are in the snapshot alone. */
  async #beginAnew(): Promise<void> {
    const { journal, ring } = this.#opened();
    journal.beginAfter(ring.seq);
    await journal.prune(ring.seq);
    this.#log.warn(
      "{dir} was saved again from memory. What else was in it (packages, deployments, the token) is not there: " +
        "restart the server",
      { dir: this.#dir },
    );
  }

  /** Returns the bytes of the snapshot, 0 when there is none. */
  async #saveQuietly(): Promise<number> {
    // While changes are refused, the recovery saves. A failed save loses nothing: the journal has every change.
    if (this.#problem !== null) return 0;
    try {
      return await this.#save();
    } catch (error) {
      this.#log.warn("Cannot save the snapshot: {error}; the journal keeps growing", { error });
      this.#autoSave.touch();
      return 0;
    }
  }

  /** Returns the bytes of the snapshot. One at a time: two would share a file. */
  #save(): Promise<number> {
    return this.#saving.runExclusive(() => this.#saveNow());
  }

  async #saveNow(): Promise<number> {
    const { epoch, journal, ring } = this.#opened();
    const { seq } = ring;
    const services = [...this.#services.values()];
    // The journal must never be behind the snapshot: loading would report that as a loss.
    if (this.#durability === "async") await journal.sync();
    const saved_at = new Date().toISOString();
    const snapshot = { epoch, seq, saved_at, services };
    const bytes = await saveSnapshot(this.#disk, this.#dir, snapshot);
    const backupSeq = this.#snapshotSeq ?? -1;
    this.#snapshotSeq = seq;
    const kept = seq - this.#historyEvents;
    await journal.prune(Math.min(backupSeq, kept));
    // Only the backup needs them now: it is replaced soon, too.
    if (journal.bytesUpTo(kept) > MAX_BACKUP_JOURNAL_BYTES) this.#autoSave.touch();
    return bytes;
  }

  async #close(): Promise<void> {
    const open = this.#open;
    if (this.#retry !== null) clearTimeout(this.#retry);
    try {
      if (open !== null) await this.#closeFiles(open);
    } finally {
      await this.#lock?.release();
    }
  }

  async #closeFiles({ queue, ring, journal, history, leases }: OpenState): Promise<void> {
    leases.close();
    history.close();
    await this.#autoSave.close();
    await queue.close();
    await this.#recovering;
    if (this.#retry !== null) clearTimeout(this.#retry);
    if (this.#problem !== null) return await journal.abandon();
    try {
      if (ring.seq !== this.#snapshotSeq) await this.save();
    } catch (error) {
      this.#log.warn("Cannot save the last snapshot: {error}; the journal has every change", {
        error,
      });
    }
    try {
      await journal.close(ring.seq);
    } catch (error) {
      throw unavailable(`the journal could not be closed (${messageOf(error)})`, error);
    }
  }

  get #historyEvents(): number {
    return this.#tuning.historyEvents ?? MIN_HISTORY_EVENTS;
  }

  #heldLock(): OwnerLock {
    if (this.#lock === null) throw new Error("the store is not open");
    return this.#lock;
  }

  #opened(): OpenState {
    if (this.#open === null) throw new Error("the store is not open");
    return this.#open;
  }
}

function unavailable(why: string, cause?: unknown): HarnessError {
  const details = { outcome: "not_done" };
  return new HarnessError("storage_unavailable", `Cannot change the registry: ${why}`, {
    cause,
    details,
  });
}
