/**
 * The audit log: one JSON line for each change that a client made or was refused.
 *
 * @module
 */
import { getLogger } from "../../util/log.ts";
import { appendFile, lstat, rename } from "node:fs/promises";
import type { AuditEntry } from "../../server/access/audit.ts";
import { sleep } from "../../util/async.ts";
import { hasErrorCode } from "../../util/node/files.ts";

/** At this size the file becomes `<file>.1`: some 50,000 entries. */
const MAX_FILE_BYTES = 10 * 1024 * 1024;
/** Older files that are kept, `.1` the newest. */
const KEPT_FILES = 4;
/** Entries that wait for a slow disk; what comes beyond is counted instead. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** Entries are written together that come in this time: opening the file for each costs more than the change. */
const BATCH_MS = 10;

/** Burst of budgeted entries of one client: a few runaway scripts. */
const BURST = 1000;
/** After that, this often one more: some 2 MB a day at worst, of 50 MB that are kept. */
const REFILL_MS = 60_000;

/** Entries that any client can cause have a budget, so that a flood cannot rotate the others away. */
class Budget {
  readonly #now: () => number;
  #left = BURST;
  #at: number;
  /** Entries that were left out since the last that was not. */
  leftOut = 0;

  constructor(now: () => number) {
    this.#now = now;
    this.#at = now();
  }

  take(): boolean {
    const refills = Math.floor((this.#now() - this.#at) / REFILL_MS);
    this.#at += refills * REFILL_MS;
    this.#left = Math.min(BURST, this.#left + refills);
    if (this.#left === 0) {
      this.leftOut++;
      return false;
    }
    this.#left--;
    return true;
  }
}

/** Options for {@linkcode AuditFile}. */
export interface AuditFileOptions {
  /** At this size the file is rotated. @default {10 MiB} */
  maxFileBytes?: number;
  /** Entries that come within so many milliseconds are written together. @default {10} */
  batchMs?: number;
  /** Whether no token is needed: then successful actions have no budget. @default {false} */
  open?: boolean;
  /** A clock in milliseconds. @default {performance.now} */
  now?: () => number;
}

/** An append-only file. */
export class AuditFile implements AsyncDisposable {
  readonly #path: string;
  readonly #maxFileBytes: number;
  readonly #batchMs: number;
  readonly #open: boolean;
  readonly #now: () => number;
  /** By who caused the entries: the kinds and names of tokens, so they are few. */
  readonly #budgets = new Map<string, Budget>();
  #waiting: string[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #writing: Promise<void> | null = null;
  /** When the last batch was begun. */
  #writtenAt = -Infinity;

  /** Opens nothing yet. */
  constructor(path: string, options: AuditFileOptions = {}) {
    const { maxFileBytes = MAX_FILE_BYTES, open = false, now = () => performance.now() } = options;
    this.#batchMs = options.batchMs ?? BATCH_MS;
    this.#path = path;
    this.#maxFileBytes = maxFileBytes;
    this.#open = open;
    this.#now = now;
  }

  /** Adds an entry; it is written at once, or in the next batch some milliseconds later. */
  add(entry: AuditEntry): void {
    // A refused request costs its sender nothing, and a client without a token is anonymous.
    const isCheap = entry.outcome !== "ok" || (entry.by === "anonymous" && !this.#open);
    if (isCheap) {
      const budget = this.#budgetOf(entry.by);
      if (!budget.take()) return;
      this.#tellLeftOut(entry.by, budget);
    }
    this.#append(entry);
  }

  #budgetOf(by: string): Budget {
    const known = this.#budgets.get(by) ?? new Budget(this.#now);
    this.#budgets.set(by, known);
    return known;
  }

  #tellLeftOut(by: string, budget: Budget): void {
    if (budget.leftOut === 0) return;
    const about = { entries: String(budget.leftOut) };
    budget.leftOut = 0;
    this.#append({ at: new Date().toISOString(), by, action: "left_out", about, outcome: "ok" });
  }

  #append(entry: AuditEntry): void {
    const line = `${JSON.stringify(entry)}\n`;
    if (this.#waitingBytes + line.length > MAX_WAITING_BYTES) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(line);
    this.#waitingBytes += line.length;
    this.#writing ??= this.#write().finally(() => this.#writing = null);
  }

  /** Waits until all is written. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const [by, budget] of this.#budgets) this.#tellLeftOut(by, budget);
    while (this.#writing !== null) await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const waitMs = this.#writtenAt + this.#batchMs - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      this.#writtenAt = performance.now();
      const text = this.#waiting.join("");
      this.#waiting = [];
      this.#waitingBytes = 0;
      try {
        await this.#rotate();
        await appendFile(this.#path, text, { mode: 0o600 });
      } catch (error) {
        getLogger(["harness", "cli"]).error("Cannot write the audit log {path}: {error}", {
          path: this.#path,
          error,
        });
      }
      const dropped = this.#dropped;
      this.#dropped = 0;
      if (dropped > 0) {
        const about = { entries: String(dropped) };
        const at = new Date().toISOString();
        this.#append({ at, by: "server", action: "dropped", about, outcome: "ok" });
      }
    }
  }

  async #rotate(): Promise<void> {
    const size = await lstat(this.#path).then((info) => info.size, () => 0);
    if (size < this.#maxFileBytes) return;
    for (let n = KEPT_FILES; n >= 1; n--) {
      const from = n === 1 ? this.#path : `${this.#path}.${n - 1}`;
      await rename(from, `${this.#path}.${n}`).catch((error) => {
        if (!hasErrorCode(error, "ENOENT")) throw error;
      });
    }
  }
}
