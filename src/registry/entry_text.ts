/**
 * Entries as the registry keeps them: as their JSON text.
 *
 * Entries never change, so the text of a revision is made once and shared by the journal, events, answers and
 * snapshots. The object takes more memory than the text and is wanted less often: it is parsed where it is needed,
 * and only those used last are kept.
 *
 * @module
 */
import type { Endpoint, Location, ServiceEntry, ServiceState } from "../model/service.ts";
import { freeze } from "../util/json.ts";
import { KeptText } from "../util/kept_text.ts";

/**
 * Bytes of text of the entries whose objects are kept: some hundred ordinary ones, at most twice as many. Parsing one
 * again takes some microseconds; what lives for seconds the garbage collector has to move.
 */
export const PARSED_ENTRIES_BYTES = 512 * 1024;

/** Bytes that a string takes in memory: one for each character, or two where one of them is not Latin-1. */
export function textBytes(text: string): number {
  // For a string of one-byte characters V8 decides this without reading them.
  // deno-lint-ignore no-control-regex
  return /[^\x00-\xff]/.test(text) ? 2 * text.length : text.length;
}

/** The fields that filters read. */
type Facts = Pick<ServiceEntry, "state" | "location" | "labels">;

const NO_NEEDS: readonly string[] = Object.freeze([]);

/** What is known of an entry without parsing its text. */
export interface EntryHead {
  /** Its id. */
  readonly id: string;
  /** The name of its service. */
  readonly name: string;
  /** What it needs. */
  readonly depends_on: readonly string[];
  /** Whether it may have a `ttl_ms`. */
  readonly mayExpire: boolean;
  /** Its revision. */
  readonly revision: number;
}

/** One revision of an entry. */
export class StoredEntry extends KeptText implements EntryHead {
  readonly id: string;
  readonly name: string;
  readonly depends_on: readonly string[];
  readonly mayExpire: boolean;
  readonly revision: number;
  #facts: Facts | null = null;
  #entry: ServiceEntry | null = null;
  /** The generation of {@linkcode ParsedEntries} that has it. */
  #generation = 0;

  /** An entry with this JSON text; `entry` is the same as an object, where it is known. */
  constructor(
    { id, name, depends_on, mayExpire, revision }: EntryHead,
    text: string | Uint8Array,
    entry: ServiceEntry | null = null,
  ) {
    super(text);
    this.id = id;
    this.name = name;
    this.depends_on = depends_on.length === 0 ? NO_NEEDS : depends_on;
    this.mayExpire = mayExpire;
    this.revision = revision;
    this.#entry = entry;
  }

  /** Moves its text out of the heap, and keeps its object for a while. */
  override keep(): void {
    super.keep();
    if (this.#entry !== null && this.#generation === 0) this.#remember(this.#entry);
  }

  /** Gives up the place of its text, and its object. */
  override release(): void {
    super.release();
    this.#entry = null;
    this.#facts = null;
  }

  /** The entry, frozen. */
  get entry(): ServiceEntry {
    const entry = this.#entry ?? parse(this);
    if (this.#generation !== parsed.generation) this.#remember(entry);
    return entry;
  }

  /** Its state. */
  get state(): ServiceState {
    return this.#read().state;
  }

  /** Where it runs. */
  get location(): Location {
    return this.#read().location;
  }

  /** Its labels. */
  get labels(): Record<string, string> {
    return this.#read().labels;
  }

  /** Where it can be reached. */
  get endpoints(): Endpoint[] {
    return this.entry.endpoints;
  }

  /** Drops the object of an entry that was not used since `generation`. */
  forget(generation: number): void {
    if (this.#generation === generation) this.#entry = null;
  }

  #remember(entry: ServiceEntry): void {
    this.#entry = entry;
    this.#generation = parsed.add(this);
  }

  /** Kept once asked for: a filter asks it of all entries. */
  #read(): Facts {
    if (this.#facts !== null) return this.#facts;
    const { state, location, labels } = this.#entry ?? parse(this);
    return this.#facts = { state, location, labels };
  }
}

function parse(stored: StoredEntry): ServiceEntry {
  const entry: ServiceEntry = JSON.parse(stored.text);
  // The same array: whether the needs have changed is seen without comparing them.
  return keep({ ...entry, depends_on: stored.depends_on as string[] }, stored);
}

/** The entries that hold their object, in two generations by last use, bounded by the bytes of their texts. */
class ParsedEntries {
  #young: StoredEntry[] = [];
  #old: StoredEntry[] = [];
  #bytes = 0;
  #generation = 1;

  /** The present generation. */
  get generation(): number {
    return this.#generation;
  }

  /** Adds an entry; returns its generation. */
  add(stored: StoredEntry): number {
    if (this.#bytes > PARSED_ENTRIES_BYTES) this.#age();
    this.#bytes += stored.size;
    this.#young.push(stored);
    return this.#generation;
  }

  #age(): void {
    for (const stored of this.#old) stored.forget(this.#generation - 1);
    this.#old = this.#young;
    this.#young = [];
    this.#bytes = 0;
    this.#generation++;
  }
}

const parsed = new ParsedEntries();

/** Where an entry has its stored form: not enumerable, so that no copy takes it along. */
const STORED = Symbol("stored");
/**
 * Stored forms of entries that came frozen. Few: a large WeakMap whose values refer to its keys made each major
 * collection of garbage stop everything for some 20 ms longer.
 */
const storedEntries = new WeakMap<ServiceEntry, StoredEntry>();
let encoded = 0;

/** Freezes an entry that has the stored form `stored`. */
function keep(entry: ServiceEntry, stored: StoredEntry): ServiceEntry {
  if (Object.isExtensible(entry)) Object.defineProperty(entry, STORED, { value: stored });
  else storedEntries.set(entry, stored);
  return freeze(entry);
}

/** The stored form of an entry, made once for each object; freezes it. */
export function storedOf(entry: ServiceEntry | StoredEntry): StoredEntry {
  if (entry instanceof StoredEntry) return entry;
  let stored = (entry as { [STORED]?: StoredEntry })[STORED] ?? storedEntries.get(entry);
  if (stored === undefined) {
    encoded++;
    stored = new StoredEntry(headOf(entry), JSON.stringify(entry), entry);
    keep(entry, stored);
  }
  return stored;
}

/** Freezes a new entry, which thereby has its stored form. */
export function newEntry(entry: ServiceEntry): ServiceEntry {
  storedOf(entry);
  return entry;
}

/** The head of an entry. */
export function headOf({ id, name, depends_on, ttl_ms, revision }: ServiceEntry): EntryHead {
  return { id, name, depends_on, revision, mayExpire: ttl_ms !== undefined };
}

/** The JSON text of an entry; freezes it. */
export function entryText(entry: ServiceEntry | StoredEntry): string {
  return storedOf(entry).text;
}

/** How often an entry was encoded so far. */
export function encodedEntries(): number {
  return encoded;
}
