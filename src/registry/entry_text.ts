/**
 * The JSON text of entries, made once for each revision.
 *
 * Entries never change, so their text is shared by the journal, events, answers and snapshots. A thousand
 * equal requests cost one encoding.
 *
 * @module
 */
import type { ServiceEntry } from "../model/service.ts";

/** Bytes of text kept: 100,000 ordinary entries. Beyond it an entry is encoded again where it is needed. */
export const ENTRY_TEXT_CACHE_BYTES = 64 * 1024 * 1024;

/** Bytes that a string takes in memory: one for each character, or two where one of them is not Latin-1. */
export function textBytes(text: string): number {
  // For a string of one-byte characters V8 decides this without reading them.
  // deno-lint-ignore no-control-regex
  return /[^\x00-\xff]/.test(text) ? 2 * text.length : text.length;
}

/**
 * Texts by entry, bounded by bytes and held weakly, so a text is freed with its entry. There are two generations:
 * when the young one is full it becomes the old one, and the old one is dropped.
 */
export class EntryTexts {
  readonly #maxBytes: number;
  #young = new WeakMap<ServiceEntry, string>();
  #old = new WeakMap<ServiceEntry, string>();
  #bytes = 0;
  #encoded = 0;

  /** An empty cache that keeps about `maxBytes` at most. */
  constructor(maxBytes: number = ENTRY_TEXT_CACHE_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** How often an entry was encoded so far. */
  get encoded(): number {
    return this.#encoded;
  }

  /** The JSON text of an entry, which must be frozen. */
  of(entry: ServiceEntry): string {
    const young = this.#young.get(entry);
    if (young !== undefined) return young;
    let text = this.#old.get(entry);
    if (text === undefined) {
      text = JSON.stringify(entry);
      this.#encoded++;
    }
    this.#keep(entry, text);
    return text;
  }

  /** The same, but a new text is not kept: for a pass over all entries. */
  peek(entry: ServiceEntry): string {
    return this.#young.get(entry) ?? this.#old.get(entry) ?? JSON.stringify(entry);
  }

  #keep(entry: ServiceEntry, text: string): void {
    this.#bytes += textBytes(text);
    if (this.#bytes > this.#maxBytes / 2) {
      this.#old = this.#young;
      this.#young = new WeakMap();
      this.#bytes = textBytes(text);
    }
    this.#young.set(entry, text);
  }
}

/** The texts of this process. */
export const entryTexts: EntryTexts = new EntryTexts();

/** The JSON text of an entry, which must be frozen: made once as long as there is room to keep it. */
export function entryText(entry: ServiceEntry): string {
  return entryTexts.of(entry);
}
