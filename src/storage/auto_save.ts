/**
 * Debounced saving of the snapshot: some time after the last change, bounded by time and by bytes of changes.
 *
 * @module
 */
import { SNAPSHOT_DELAY_MS, SNAPSHOT_JOURNAL_BYTES, SNAPSHOT_MAX_DELAY_MS } from "./limits.ts";

/** Share of the time that saving may take: large states are saved less often. */
const MAX_LOAD = 0.05;

/** Calls `save` after changes, debounced; never two at once. */
export class AutoSave {
  readonly #save: () => Promise<number>;
  readonly #delayMs: number;
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** Bytes of the changes since the last save. */
  #changed = 0;
  /** Bytes of the last save. */
  #saved = 0;
  #firstChange = 0;
  #lastChange = 0;
  #running: Promise<void> | null = null;
  #notBefore = 0;
  #closed = false;

  /** `save` must not throw; it returns the bytes of what it saved. */
  constructor(save: () => Promise<number>, delayMs: number = SNAPSHOT_DELAY_MS) {
    this.#save = save;
    this.#delayMs = delayMs;
  }

  /** Schedules a save after a change of so many bytes. */
  touch(bytes = 0): void {
    if (this.#closed) return;
    this.#changed += bytes;
    // A start reads what follows the last two snapshots: that stays in proportion, however fast changes come.
    if (
      this.#running === null && this.#changed > Math.max(SNAPSHOT_JOURNAL_BYTES, 2 * this.#saved)
    ) {
      return this.#run();
    }
    this.#lastChange = performance.now();
    if (this.#timer !== null) return;
    this.#firstChange = this.#lastChange;
    this.#arm();
  }

  /** Starts no further save; resolves when a running one has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#running;
  }

  #run(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#running !== null) return this.touch();
    this.#running = this.#timed().finally(() => this.#running = null);
  }

  /** A change does not set the timer anew, which costs as much as all the rest of it: it is checked when it fires. */
  #arm(): void {
    const wait = Math.max(0, this.#due() - performance.now());
    this.#timer = setTimeout(() => {
      if (this.#due() <= performance.now()) this.#run();
      else this.#arm();
    }, wait);
  }

  #due(): number {
    const latest = this.#firstChange + SNAPSHOT_MAX_DELAY_MS;
    return Math.max(Math.min(this.#lastChange + this.#delayMs, latest), this.#notBefore);
  }

  async #timed(): Promise<void> {
    const start = performance.now();
    this.#changed = 0;
    this.#saved = await this.#save();
    const end = performance.now();
    this.#notBefore = end + (end - start) / MAX_LOAD;
  }
}
