/**
 * A mutex per key that exists only while somebody holds or awaits it.
 *
 * @module
 */
import { Mutex } from "async-mutex";

/** Runs tasks of one key one after the other, in the order of the calls; different keys do not wait. */
export class KeyedMutex {
  readonly #locks = new Map<string, { mutex: Mutex; users: number }>();

  /** Keys that are held now. */
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
