/**
 * Debounced saving of the snapshot: some time after the last change, with an upper bound.
 *
 * @module
 */
import { SNAPSHOT_DELAY_MS, SNAPSHOT_MAX_DELAY_MS } from "./limits.ts";

/** Share of the time that saving may take: large states are saved less often. */
const MAX_LOAD = 0.05;

/** Calls `save` after changes, debounced; never two at once. */
export class AutoSave {
  readonly #save: () => Promise<void>;
  readonly #delayMs: number;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #firstChange = 0;
  #running: Promise<void> | null = null;
  #notBefore = 0;
  #closed = false;

  /** `save` must not throw. */
  constructor(save: () => Promise<void>, delayMs: number = SNAPSHOT_DELAY_MS) {
    this.#save = save;
    this.#delayMs = delayMs;
  }

  /** Schedules a save after a change. */
  touch(): void {
    if (this.#closed) return;
    const now = performance.now();
    if (this.#timer === null) this.#firstChange = now;
    else clearTimeout(this.#timer);
    const latest = this.#firstChange + SNAPSHOT_MAX_DELAY_MS;
    const due = Math.max(Math.min(now + this.#delayMs, latest), this.#notBefore);
    this.#timer = setTimeout(() => this.#run(), Math.max(0, due - now));
  }

  /** Starts no further save; resolves when a running one has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#running;
  }

  #run(): void {
    this.#timer = null;
    if (this.#running !== null) {
      this.touch();
      return;
    }
    this.#running = this.#timed().finally(() => this.#running = null);
  }

  async #timed(): Promise<void> {
    const start = performance.now();
    await this.#save();
    const end = performance.now();
    this.#notBefore = end + (end - start) / MAX_LOAD;
  }
}
