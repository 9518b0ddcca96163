/**
 * Which entries of the registry a holder of the full token registered.
 *
 * Clients without a token may register services, but what they registered must not become what the server
 * runs unless somebody with the token named it: a `cascade` starts nothing else, and the addresses that a
 * deployed service is given are not theirs where there are others. They may remove what was registered with
 * the token, but not put something else in its place: who starts it by its name would run that.
 *
 * Kept as one document that is written shortly after a change: what a crash loses is an entry that has to
 * be named once more.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { ServiceEntry } from "../../model/service.ts";
import type { DocumentStore } from "../backends.ts";
import { sha256 } from "../../util/node/digest.ts";

const COLLECTION = "rights";
const DOCUMENT = "vouched";
/** Registrations come in bursts, and each of them waits for the disk already. */
const WRITE_AFTER_MS = 200;

/** Removed entries that are remembered, about 300 bytes each; the oldest are forgotten first. */
const MAX_REMOVED = 10_000;

/** An entry that was registered with the token and removed without one. */
interface Removed {
  readonly id: string;
  readonly name: string;
  /** See {@linkcode runOf}. */
  readonly run: string;
}

/** What is said of an entry at its registration: what is run, and where. */
type Described = Pick<ServiceEntry, "execution"> & Partial<Pick<ServiceEntry, "location">>;

/** A digest of what would be run, and where: the pid or the container of what runs already does not count. */
export function runOf({ execution, location = { type: "local" } }: Described): string {
  const parts = [{ ...execution, pid: null, container_id: null }, location].map((part) =>
    Object.entries(part).filter(([, value]) => value !== null && value !== undefined).sort()
  );
  return sha256(JSON.stringify(parts));
}

/** The ids that were registered with the token. */
export class VouchedEntries implements AsyncDisposable {
  readonly #documents: DocumentStore | null;
  readonly #ids: Set<string>;
  /** By id. */
  readonly #removed = new Map<string, Removed>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(documents: DocumentStore | null, ids: Iterable<string>) {
    this.#documents = documents;
    this.#ids = new Set(ids);
  }

  /** Loads what an earlier server left; without documents nothing outlives the process. */
  static async load(documents: DocumentStore | null = null): Promise<VouchedEntries> {
    const found = (await documents?.list(COLLECTION))?.find(({ id }) => id === DOCUMENT)?.value;
    const { ids, removed } = (found ?? {}) as { ids?: unknown; removed?: unknown };
    const entries = new VouchedEntries(documents, Array.isArray(ids) ? ids.map(String) : []);
    for (const { id, name, run } of Array.isArray(removed) ? removed as Removed[] : []) {
      entries.#removed.set(id, { id, name, run });
    }
    return entries;
  }

  /** Whether an entry was registered with the token. */
  has(id: string): boolean {
    return this.#ids.has(id);
  }

  /** Remembers an entry that was registered with the token. */
  add(id: string): void {
    const wasRemoved = this.#removed.delete(id);
    if (this.#ids.has(id) && !wasRemoved) return;
    this.#ids.add(id);
    this.#writeSoon();
  }

  /** Forgets an entry that was removed with the token. */
  remove(id: string): void {
    const wasRemoved = this.#removed.delete(id);
    if (this.#ids.delete(id) || wasRemoved) this.#writeSoon();
  }

  /** Remembers what an entry was that a client without a token removes: nothing else is to come in its place. */
  removeWithoutToken(entry: ServiceEntry): void {
    const { id, name } = entry;
    if (!this.#ids.delete(id)) return;
    this.#removed.set(id, { id, name, run: runOf(entry) });
    for (const oldest of this.#removed.keys()) {
      if (this.#removed.size <= MAX_REMOVED) break;
      this.#removed.delete(oldest);
    }
    this.#writeSoon();
  }

  /**
   * Whether something that a client without a token registers would be taken for an entry that was registered
   * with one and removed without: it goes by the same id or name, and would run something else.
   */
  poses(
    service:
      & Pick<ServiceEntry, "name" | "execution">
      & Partial<Pick<ServiceEntry, "id" | "location">>,
  ): boolean {
    const names = [service.id ?? service.name, service.name];
    const run = runOf(service);
    for (const removed of this.#removed.values()) {
      if (!names.includes(removed.id) && !names.includes(removed.name)) continue;
      if (removed.run !== run) return true;
    }
    return false;
  }

  /** An entry that was removed without the token is there again as it was. */
  readd(entry: ServiceEntry): void {
    if (this.#removed.get(entry.id)?.run === runOf(entry)) this.add(entry.id);
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
      const removed = [...this.#removed.values()];
      return this.#documents?.put(COLLECTION, DOCUMENT, { ids: [...this.#ids].sort(), removed });
    }).catch((error) => {
      getLogger(["harness", "server"]).warn(
        "Cannot keep which services were registered with the token: {error}",
        { error },
      );
    });
  }
}
