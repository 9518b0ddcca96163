/**
 * Bounds how many tasks run at once. `async-mutex` does the same; loading it took a fiftieth of a server's start.
 *
 * @module
 */

/** Runs so many tasks at once; the others wait, first come, first served. */
export class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** For `places` tasks at once. */
  constructor(places: number) {
    this.#free = places;
  }

  /** Whether a task would have to wait. */
  isLocked(): boolean {
    return this.#free === 0;
  }

  /** Runs `task` when there is a place for it, which it leaves however it ends. */
  async runExclusive<T>(task: () => T | Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}

/** Runs one task at a time. */
export class Mutex extends Semaphore {
  /** Nothing runs yet. */
  constructor() {
    super(1);
  }
}
