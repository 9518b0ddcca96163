/**
 * The audit log: one JSON line for each change that a client made or was refused.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { AuditEntry } from "../server/audit.ts";

/** At this size the file becomes `<file>.1`: some 50,000 entries. */
const MAX_FILE_BYTES = 10 * 1024 * 1024;
/** Older files that are kept, `.1` the newest. */
const KEPT_FILES = 4;
/** Entries that wait for a slow disk; what comes beyond is counted instead. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** An append-only file. */
export class AuditFile implements AsyncDisposable {
  readonly #path: string;
  readonly #maxFileBytes: number;
  #waiting: string[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #writing: Promise<void> | null = null;

  /** Opens nothing yet. */
  constructor(path: string, maxFileBytes = MAX_FILE_BYTES) {
    this.#path = path;
    this.#maxFileBytes = maxFileBytes;
  }

  /** Adds an entry; it is on its way to the disk when this returns. */
  add(entry: AuditEntry): void {
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
    while (this.#writing !== null) await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const text = this.#waiting.join("");
      this.#waiting = [];
      this.#waitingBytes = 0;
      try {
        await this.#rotate();
        await Deno.writeTextFile(this.#path, text, { append: true, mode: 0o600 });
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
        this.add({ at, by: "server", action: "dropped", about, outcome: "ok" });
      }
    }
  }

  async #rotate(): Promise<void> {
    const size = await Deno.lstat(this.#path).then((info) => info.size, () => 0);
    if (size < this.#maxFileBytes) return;
    for (let n = KEPT_FILES; n >= 1; n--) {
      const from = n === 1 ? this.#path : `${this.#path}.${n - 1}`;
      await Deno.rename(from, `${this.#path}.${n}`).catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      });
    }
  }
}
