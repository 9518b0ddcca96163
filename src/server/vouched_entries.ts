/**
 * Which entries of the registry a holder of the full token registered.
 *
 * Clients without a token may register services, but what they registered must not become what the server
 * runs unless somebody with the token named it: a `cascade` starts nothing else, and the addresses that a
 * deployed service is given are not theirs where there are others.
 *
 * Kept as one document that is written shortly after a change: what a crash loses is an entry that has to
 * be named once more.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { DocumentStore } from "./documents.ts";

const COLLECTION = "rights";
const DOCUMENT = "vouched";
/** Registrations come in bursts, and each of them waits for the disk already. */
const WRITE_AFTER_MS = 200;

/** The ids that were registered with the token. */
export class VouchedEntries implements AsyncDisposable {
  readonly #documents: DocumentStore | null;
  readonly #ids: Set<string>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(documents: DocumentStore | null, ids: Iterable<string>) {
    this.#documents = documents;
    this.#ids = new Set(ids);
  }

  /** Loads what an earlier server left; without documents nothing outlives the process. */
  static async load(documents: DocumentStore | null = null): Promise<VouchedEntries> {
    const found = (await documents?.list(COLLECTION))?.find(({ id }) => id === DOCUMENT)?.value;
    const ids = (found as { ids?: unknown } | undefined)?.ids;
    return new VouchedEntries(documents, Array.isArray(ids) ? ids.map(String) : []);
  }

  /** Whether an entry was registered with the token. */
  has(id: string): boolean {
    return this.#ids.has(id);
  }

  /** Remembers an entry that was registered with the token. */
  add(id: string): void {
    if (this.#ids.has(id)) return;
    this.#ids.add(id);
    this.#writeSoon();
  }

  /** Forgets an entry. */
  remove(id: string): void {
    if (this.#ids.delete(id)) this.#writeSoon();
  }

  /** Writes what is not written yet. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#timer !== undefined) this.#write();
    await this.#writing;
  }

  #writeSoon(): void {
    if (this.#documents !== null) this.#timer ??= setTimeout(() => this.#write(), WRITE_AFTER_MS);
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => {
      return this.#documents?.put(COLLECTION, DOCUMENT, { ids: [...this.#ids].sort() });
    }).catch((error) => {
      getLogger(["harness", "server"]).warn(
        "Cannot keep which services were registered with the token: {error}",
        { error },
      );
    });
  }
}
