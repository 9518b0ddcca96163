/**
 * Remembers which entries of the registry were registered with the full token.
 *
 * Clients without a token may register services, but what they registered must not become what the server
 * runs unless somebody with the token named it: a `cascade` starts nothing else, and a deployed service gets
 * their addresses only where there are no others. They may remove what was registered with the token, but not
 * replace it: the next start by name would run the replacement.
 *
 * Kept as one document that is written shortly after a change: an entry that a crash loses has to be named
 * once more.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { ServiceEntry } from "../../model/service.ts";
import type { DocumentStore } from "../backends.ts";
import { sha256 } from "../../util/node/digest.ts";

const COLLECTION = "rights";
const DOCUMENT = "vouched";
/** Write delay: registrations come in bursts, and each of them waits for the disk already. */
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

/** The fields of a registration that define what is run, and where. */
type Described = Pick<ServiceEntry, "execution"> & Partial<Pick<ServiceEntry, "location">>;

/** Digest of what would be run, and where; a pid or container of the present run does not count. */
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

  /** Loads the ids that an earlier server kept; without documents nothing outlives the process. */
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

  /** Remembers an entry that a client without a token removes, so that nothing else takes its place. */
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
   * Whether a registration without a token poses as an entry that was registered with one and removed without:
   * it has the same id or name, and would run something else.
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

  /** Notes that an entry that was removed without the token is back unchanged. */
  readd(entry: ServiceEntry): void {
    if (this.#removed.get(entry.id)?.run === runOf(entry)) this.add(entry.id);
  }

  /** Flushes pending changes. */
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
        "Cannot save which services were registered with the token: {error}",
        { error },
      );
    });
  }
}
