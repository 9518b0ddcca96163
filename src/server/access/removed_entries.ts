/**
 * Entries that were registered with the full token and removed without it.
 *
 * @module
 */

/** At most so many are remembered, about 300 bytes each; the oldest are forgotten first. */
const MAX_REMOVED = 10_000;

/** A removed entry. */
export interface RemovedEntry {
  /** Instance id. */
  readonly id: string;
  /** Service name. */
  readonly name: string;
  /** Digest of what it ran. */
  readonly run: string;
}

/** The newest of them, by id, and what each name stands for: an id counts as a name, too. */
export class RemovedEntries {
  readonly #byId = new Map<string, RemovedEntry>();
  /** How many of a name (or id) ran what. */
  readonly #runs = new Map<string, Map<string, number>>();

  /** Number of entries. */
  get size(): number {
    return this.#byId.size;
  }

  /** The entry of an id. */
  get(id: string): RemovedEntry | undefined {
    return this.#byId.get(id);
  }

  /** All of them, oldest first. */
  values(): Iterable<RemovedEntry> {
    return this.#byId.values();
  }

  /** Adds an entry; returns the id of the one that is forgotten for it, or `null`. */
  add(entry: RemovedEntry): string | null {
    this.delete(entry.id);
    this.#byId.set(entry.id, entry);
    this.#count(entry, 1);
    if (this.size <= MAX_REMOVED) return null;
    const [oldest = null] = this.#byId.keys();
    if (oldest !== null) this.delete(oldest);
    return oldest;
  }

  /** Forgets an entry; returns whether it was there. */
  delete(id: string): boolean {
    const entry = this.#byId.get(id);
    if (entry === undefined) return false;
    this.#byId.delete(id);
    this.#count(entry, -1);
    return true;
  }

  /** Whether one that has a name or id ran something else. */
  ranOther(nameOrId: string, run: string): boolean {
    const runs = this.#runs.get(nameOrId);
    return runs !== undefined && (runs.size > 1 || !runs.has(run));
  }

  #count({ id, name, run }: RemovedEntry, by: 1 | -1): void {
    for (const key of new Set([id, name])) {
      let runs = this.#runs.get(key);
      if (runs === undefined) this.#runs.set(key, runs = new Map());
      const count = (runs.get(run) ?? 0) + by;
      if (count > 0) runs.set(run, count);
      else runs.delete(run);
      if (runs.size === 0) this.#runs.delete(key);
    }
  }
}
