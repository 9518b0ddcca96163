/**
 * What {@linkcode VouchedEntries} keeps on disk: one document with all of it, and a few with what has changed since, so
 * that a write takes as long with many entries as with few.
 *
 * The document has an id of its own, which the changes name: those after an earlier one are left over from a crash, and
 * count for nothing. A server of an earlier version reads the whole document only; a clean stop writes that.
 *
 * @module
 */
import type { DocumentStore } from "../backends.ts";
import { RemovedEntries, type RemovedEntry } from "./removed_entries.ts";

const COLLECTION = "rights";
const WHOLE = "vouched";
const CHANGES = "vouched-";
/** Entries in a document of changes, which is replaced whole until it has so many; and fewest before all is written. */
const MAX_CHANGES = 2_000;

/** The document with all; earlier versions wrote it without an id. */
interface Whole {
  id?: string;
  ids: string[];
  removed: RemovedEntry[];
}

/** A document of changes: what is true of some ids now. */
interface Changes {
  /** Id of the whole document that they follow. */
  after: string;
  ids: string[];
  removed: RemovedEntry[];
  /** Ids that are neither. */
  gone: string[];
}

/** The documents. Not for two writes at once. */
export class VouchedFile {
  /** Ids of the entries that were registered with the token. A change is to be {@linkcode VouchedFile.note noted}. */
  readonly ids = new Set<string>();
  /** Those that were removed without it; likewise. */
  readonly removed = new RemovedEntries();
  readonly #documents: DocumentStore | null;
  readonly #maxChanges: number;
  /** Id of the whole document; `null` until this version has written one. */
  #whole: string | null = null;
  /** Documents of changes that are written to no more. */
  #full = 0;
  /** Ids in those. */
  #behind = 0;
  /** Ids for the next document of changes, written already or not. */
  #changed = new Set<string>();

  private constructor(documents: DocumentStore | null, maxChanges: number) {
    this.#documents = documents;
    this.#maxChanges = maxChanges;
  }

  /** Loads what an earlier server kept; without documents nothing is written. */
  static async load(
    documents: DocumentStore | null,
    maxChanges: number = MAX_CHANGES,
  ): Promise<VouchedFile> {
    const file = new VouchedFile(documents, maxChanges);
    if (documents === null) return file;
    const found = new Map((await documents.list(COLLECTION)).map((one) => [one.id, one.value]));
    // Written by this file only, and the store checks that they are whole.
    const { id = null, ids = [], removed = [] } = (found.get(WHOLE) ?? {}) as Partial<Whole>;
    file.#whole = id;
    file.#apply({ ids, removed, gone: [] });
    const numbers = [...found.keys()].filter((name) => name.startsWith(CHANGES))
      .map((name) => Number(name.slice(CHANGES.length))).sort((a, b) => a - b);
    for (const number of numbers) {
      const changes = found.get(changesName(number)) as Changes;
      if (id === null || changes.after !== id) continue;
      // One was damaged, and with it who is vouched for no more.
      if (number !== file.#full + 1) file.ids.clear();
      found.delete(changesName(number));
      file.#behind += file.#apply(changes);
      file.#full = number;
    }
    const stale = [...found.keys()].filter((name) => name.startsWith(CHANGES));
    await Promise.all(stale.map((name) => documents.remove(COLLECTION, name)));
    return file;
  }

  /** Notes that something about an id has changed; returns whether there is a place to write it. */
  note(id: string): boolean {
    if (this.#documents === null) return false;
    this.#changed.add(id);
    return true;
  }

  /** Writes what has changed. @throws the error of the store; the next write has all of it. */
  async write(): Promise<void> {
    const { ids, removed } = this;
    const most = Math.max(this.#maxChanges, ids.size + removed.size);
    if (this.#whole === null || this.#behind + this.#changed.size > most) return await this.close();
    const after = this.#whole;
    await this.#writing(async (changed) => {
      const changes: Changes = {
        after,
        ids: changed.filter((id) => ids.has(id)),
        removed: changed.flatMap((id) => removed.get(id) ?? []),
        gone: changed.filter((id) => !ids.has(id) && removed.get(id) === undefined),
      };
      await this.#documents?.put(COLLECTION, changesName(this.#full + 1), changes);
      if (changed.length < this.#maxChanges) return false;
      this.#behind += changed.length;
      this.#full++;
      return true;
    });
  }

  /** Writes all of it as one document, if it is not. @throws the error of the store. */
  async close(): Promise<void> {
    if (this.#behind + this.#changed.size === 0) return;
    await this.#writing(async () => {
      const id = crypto.randomUUID();
      const whole: Whole = { id, ids: [...this.ids], removed: [...this.removed.values()] };
      this.#whole = null; // after a failure nobody knows which one is on the disk
      await this.#documents?.put(COLLECTION, WHOLE, whole);
      this.#whole = id;
      this.#behind = 0;
      const last = this.#full + 1;
      this.#full = 0;
      for (let number = last; number > 0; number--) {
        await this.#documents?.remove(COLLECTION, changesName(number));
      }
      return true;
    });
  }

  /** Writes what has changed until now; unless `write` returns that it is done with, it is for the next write too. */
  async #writing(write: (changed: readonly string[]) => Promise<boolean>): Promise<void> {
    const changed = this.#changed;
    this.#changed = new Set<string>();
    let isDone = false;
    try {
      isDone = await write([...changed]);
    } finally {
      if (!isDone) this.#changed = new Set([...changed, ...this.#changed]);
    }
  }

  /** Returns how many ids it has. */
  #apply({ ids, removed, gone }: Omit<Changes, "after">): number {
    for (const id of [...ids, ...gone]) this.removed.delete(id);
    for (const id of [...gone, ...removed.map((one) => one.id)]) this.ids.delete(id);
    for (const id of ids) this.ids.add(id);
    for (const one of removed) this.removed.add(one);
    return ids.length + removed.length + gone.length;
  }
}

function changesName(number: number): string {
  return `${CHANGES}${number}`;
}
