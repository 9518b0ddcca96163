/**
 * A mutex per key that exists only while it is held or awaited.
 *
 * @module
 */

const FREE = Promise.resolve();

/** Runs the tasks of one key one after the other, in the order of the calls. */
export class KeyedMutex {
  /** The last task of each key. */
  readonly #last = new Map<string, Promise<unknown>>();

  /** Number of held keys. */
  get size(): number {
    return this.#last.size;
  }

  /** Runs `task` when all earlier tasks of `key` have ended. */
  run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const running = (this.#last.get(key) ?? FREE).then(task, task);
    this.#last.set(key, running);
    const end = (): void => {
      if (this.#last.get(key) === running) this.#last.delete(key);
    };
    running.then(end, end);
    return running;
  }
}
