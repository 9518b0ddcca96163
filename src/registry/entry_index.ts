/**
 * The registry's memory: entries by id, by name, and sorted.
 *
 * @module
 */
import { isGlob } from "../util/glob.ts";
import type { StoredEntry } from "./entry_text.ts";
import type { ServiceFilter } from "./filter.ts";

/** Entries with O(1) lookup by id and by name, and a list that is kept sorted. */
export class EntryIndex {
  readonly #byId = new Map<string, StoredEntry>();
  /** By name: the ids of its instances but the one that has the name as its id. Most names have no other. */
  readonly #otherIds = new Map<string, Set<string>>();
  /** By needed name: the services that need it, and in how many instances. */
  readonly #dependents = new Map<string, Map<string, number>>();
  #sorted: StoredEntry[] = [];
  /** Whether a reader holds {@linkcode #sorted}: then it is copied before it is changed. */
  #shared = false;

  /** Number of entries. */
  get size(): number {
    return this.#byId.size;
  }

  /** All entries, sorted by id. Not to be changed; valid until the next change. */
  get sorted(): readonly StoredEntry[] {
    return this.#sorted;
  }

  /** The entries that a filter can match, sorted by id: a view of this moment. */
  select({ name }: ServiceFilter): readonly StoredEntry[] {
    if (name === undefined || isGlob(name)) {
      this.#shared = true;
      return this.#sorted;
    }
    const found = new Set(this.instancesOf(name));
    const exact = this.#byId.get(name);
    if (exact !== undefined) found.add(exact);
    return [...found].sort(byId);
  }

  /** The same, without those up to an id. */
  after(filter: ServiceFilter, cursor: string | undefined): Iterable<StoredEntry> {
    const entries = this.select(filter);
    if (cursor === undefined) return entries;
    const at = positionIn(entries, cursor);
    return itemsFrom(entries, entries[at]?.id === cursor ? at + 1 : at);
  }

  /** Fills an empty index. */
  load(entries: readonly StoredEntry[]): void {
    for (const entry of entries) {
      entry.keep();
      this.#byId.set(entry.id, entry);
      this.#addName(entry);
      this.#addNeeds(entry, 1);
    }
    this.#sorted = [...this.#byId.values()].sort(byId);
  }

  /** The entry of an id. */
  get(id: string): StoredEntry | undefined {
    return this.#byId.get(id);
  }

  /** The ids of the instances of a name, sorted. */
  idsOf(name: string): string[] {
    return Array.from(this.instancesOf(name), ({ id }) => id).sort();
  }

  /** Whether a service of this name is registered. */
  hasName(name: string): boolean {
    return this.#otherIds.has(name) || this.#named(name) !== undefined;
  }

  /** The names of the services that need a name directly. */
  dependentsOf(name: string): Iterable<string> {
    return this.#dependents.get(name)?.keys() ?? [];
  }

  /** Whether a service needs a name directly. */
  isDependent(service: string, name: string): boolean {
    return this.#dependents.get(name)?.has(service) === true;
  }

  /**
   * The names that a service needs directly, in any of its instances (those of several may have duplicates); `null` when
   * it is not registered.
   */
  needsOf(name: string): readonly string[] | null {
    if (!this.#otherIds.has(name)) return this.#named(name)?.depends_on ?? null;
    return Array.from(this.instancesOf(name), ({ depends_on }) => depends_on).flat();
  }

  /** The entries of a name, in no particular order. */
  *instancesOf(name: string): Generator<StoredEntry> {
    const named = this.#named(name);
    if (named !== undefined) yield named;
    for (const id of this.#otherIds.get(name) ?? []) {
      const entry = this.#byId.get(id);
      if (entry !== undefined) yield entry;
    }
  }

  /** Adds or replaces an entry. */
  put(entry: StoredEntry): void {
    const before = this.#byId.get(entry.id);
    const at = positionIn(this.#sorted, entry.id);
    if (before !== entry) before?.release();
    entry.keep();
    this.#own();
    if (before === undefined) {
      this.#sorted.splice(at, 0, entry);
    } else {
      this.#sorted[at] = entry;
      if (before.name !== entry.name) this.#removeName(before);
    }
    this.#byId.set(entry.id, entry);
    this.#addName(entry);
    if (before?.depends_on === entry.depends_on && before.name === entry.name) return;
    if (before !== undefined) this.#addNeeds(before, -1);
    this.#addNeeds(entry, 1);
  }

  /** Removes an entry. Unknown ids are ignored. */
  remove(id: string): void {
    const entry = this.#byId.get(id);
    if (entry === undefined) return;
    entry.release();
    this.#byId.delete(id);
    this.#own();
    this.#sorted.splice(positionIn(this.#sorted, id), 1);
    this.#removeName(entry);
    this.#addNeeds(entry, -1);
  }

  #own(): void {
    if (this.#shared) this.#sorted = this.#sorted.slice();
    this.#shared = false;
  }

  /** The instance that has its name as its id. */
  #named(name: string): StoredEntry | undefined {
    const entry = this.#byId.get(name);
    return entry?.name === name ? entry : undefined;
  }

  #addName({ id, name }: StoredEntry): void {
    if (id === name) return;
    const ids = this.#otherIds.get(name);
    if (ids === undefined) this.#otherIds.set(name, new Set([id]));
    else ids.add(id);
  }

  #addNeeds({ name, depends_on }: StoredEntry, by: 1 | -1): void {
    for (const need of depends_on) {
      let dependents = this.#dependents.get(need);
      if (dependents === undefined) this.#dependents.set(need, dependents = new Map());
      const count = (dependents.get(name) ?? 0) + by;
      if (count > 0) dependents.set(name, count);
      else dependents.delete(name);
      if (dependents.size === 0) this.#dependents.delete(need);
    }
  }

  #removeName({ id, name }: StoredEntry): void {
    const ids = this.#otherIds.get(name);
    ids?.delete(id);
    if (ids?.size === 0) this.#otherIds.delete(name);
  }
}

/** The index of an id in a sorted list, or where it would be inserted. */
function positionIn(sorted: readonly StoredEntry[], id: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = sorted[middle];
    if (other !== undefined && other.id < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

function* itemsFrom<T>(items: readonly T[], from: number): Generator<T> {
  for (let at = from; at < items.length; at++) yield items[at] as T;
}

function byId(a: StoredEntry, b: StoredEntry): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
