/**
 * The registry's memory: entries by id, by name, and sorted.
 *
 * @module
 */
import type { ServiceEntry } from "./entry.ts";

/** Entries with O(1) lookup by id and by name, and a sorted list that costs nothing to read. */
export class EntryIndex {
  readonly #byId = new Map<string, ServiceEntry>();
  readonly #idsByName = new Map<string, Set<string>>();
  #sorted: ServiceEntry[] = [];

  /** Number of entries. */
  get size(): number {
    return this.#byId.size;
  }

  /** All entries, sorted by id. Not to be changed; valid until the next change. */
  get sorted(): readonly ServiceEntry[] {
    return this.#sorted;
  }

  /** Fills an empty index. */
  load(entries: readonly ServiceEntry[]): void {
    for (const entry of entries) {
      this.#byId.set(entry.id, entry);
      this.#addName(entry);
    }
    this.#sorted = [...this.#byId.values()].sort(byId);
  }

  /** The entry of an id. */
  get(id: string): ServiceEntry | undefined {
    return this.#byId.get(id);
  }

  /** The ids of the instances of a name, sorted. */
  idsOf(name: string): string[] {
    return [...this.#idsByName.get(name) ?? []].sort();
  }

  /** Whether a service of this name is registered. */
  hasName(name: string): boolean {
    return this.#idsByName.has(name);
  }

  /** All service names. */
  names(): Iterable<string> {
    return this.#idsByName.keys();
  }

  /** The entries of a name, in no particular order. */
  *instancesOf(name: string): Generator<ServiceEntry> {
    for (const id of this.#idsByName.get(name) ?? []) {
      const entry = this.#byId.get(id);
      if (entry !== undefined) yield entry;
    }
  }

  /** Adds or replaces an entry. */
  put(entry: ServiceEntry): void {
    const before = this.#byId.get(entry.id);
    const at = this.positionOf(entry.id);
    if (before === undefined) {
      this.#sorted.splice(at, 0, entry);
    } else {
      this.#sorted[at] = entry;
      if (before.name !== entry.name) this.#removeName(before);
    }
    this.#byId.set(entry.id, entry);
    this.#addName(entry);
  }

  /** Removes an entry. Unknown ids are ignored. */
  remove(id: string): void {
    const entry = this.#byId.get(id);
    if (entry === undefined) return;
    this.#byId.delete(id);
    this.#sorted.splice(this.positionOf(id), 1);
    this.#removeName(entry);
  }

  /** Where an id stands, or would stand, in {@linkcode sorted}. */
  positionOf(id: string): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#sorted[middle];
      if (other !== undefined && other.id < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #addName(entry: ServiceEntry): void {
    const ids = this.#idsByName.get(entry.name);
    if (ids === undefined) this.#idsByName.set(entry.name, new Set([entry.id]));
    else ids.add(entry.id);
  }

  #removeName(entry: ServiceEntry): void {
    const ids = this.#idsByName.get(entry.name);
    ids?.delete(entry.id);
    if (ids?.size === 0) this.#idsByName.delete(entry.name);
  }
}

function byId(a: ServiceEntry, b: ServiceEntry): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
