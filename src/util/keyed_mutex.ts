/**
 * A mutex per key that exists only while it is held or awaited.
 *
 * @module
 */
import { Mutex } from "async-mutex";

/** Runs the tasks of one key one after the other, in the order of the calls. */
export class KeyedMutex {
  readonly #locks = new Map<string, { mutex: Mutex; users: number }>();

  /** Number of held keys. */
  get size(): number {
    return this.#locks.size;
  }

  /** Runs `task` when all earlier tasks of `key` have ended. */
  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    let lock = this.#locks.get(key);
    if (lock === undefined) this.#locks.set(key, lock = { mutex: new Mutex(), users: 0 });
    lock.users++;
    try {
      return await lock.mutex.runExclusive(task);
    } finally {
      if (--lock.users === 0) this.#locks.delete(key);
    }
  }
}
