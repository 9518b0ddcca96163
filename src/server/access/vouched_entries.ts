/**
 * Remembers which entries of the registry were registered with the full token.
 *
 * Clients without a token may register services, but what they registered must not become what the server
 * runs unless somebody with the token named it: a `cascade` starts nothing else, and a deployed service gets
 * their addresses only where there are no others. They may remove what was registered with the token, but not
 * replace it: the next start by name would run the replacement.
 *
 * Written shortly after a change: an entry that a crash loses has to be named once more.
 *
 * @module
 */
import { getLogger } from "../../util/log.ts";
import type { ServiceEntry } from "../../model/service.ts";
import type { DocumentStore } from "../backends.ts";
import { sha256 } from "../../util/node/digest.ts";
import { VouchedFile } from "./vouched_file.ts";

/** Write delay: registrations come in bursts, and each of them waits for the disk already. */
const WRITE_AFTER_MS = 200;

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
  readonly #file: VouchedFile;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(file: VouchedFile) {
    this.#file = file;
  }

  /**
   * Loads the ids that an earlier server kept; without documents nothing outlives the process. Ids that are not
   * registered are forgotten: a crash has lost their removal, and nobody may take their place.
   */
  static async load(
    documents: DocumentStore | null = null,
    isRegistered: (id: string) => boolean = () => true,
  ): Promise<VouchedEntries> {
    const entries = new VouchedEntries(await VouchedFile.load(documents));
    for (const id of entries.#file.ids) if (!isRegistered(id)) entries.remove(id);
    return entries;
  }

  /** Whether an entry was registered with the token. */
  has(id: string): boolean {
    return this.#file.ids.has(id);
  }

  /** Remembers an entry that was registered with the token. */
  add(id: string): void {
    const { ids, removed } = this.#file;
    const wasRemoved = removed.delete(id);
    if (ids.has(id) && !wasRemoved) return;
    ids.add(id);
    this.#changed(id);
  }

  /** Forgets an entry that was removed with the token. */
  remove(id: string): void {
    const { ids, removed } = this.#file;
    const wasRemoved = removed.delete(id);
    if (ids.delete(id) || wasRemoved) this.#changed(id);
  }

  /** Remembers an entry that a client without a token removes, so that nothing else takes its place. */
  removeWithoutToken(entry: ServiceEntry): void {
    const { id, name } = entry;
    const { ids, removed } = this.#file;
    if (!ids.delete(id)) return;
    const forgotten = removed.add({ id, name, run: runOf(entry) });
    if (forgotten !== null) this.#changed(forgotten);
    this.#changed(id);
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
    const { removed } = this.#file;
    if (removed.size === 0) return false;
    const run = runOf(service);
    return [service.id ?? service.name, service.name].some((name) => removed.ranOther(name, run));
  }

  /** Notes that an entry that was removed without the token is back unchanged. */
  readd(entry: ServiceEntry): void {
    const removed = this.#file.removed.get(entry.id);
    // Nearly always there is none, and a digest is worth as much as the rest of a registration.
    if (removed !== undefined && removed.run === runOf(entry)) this.add(entry.id);
  }

  /** Writes what is not written yet, all as one document. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#save(() => this.#file.close());
    await this.#writing;
  }

  #changed(id: string): void {
    if (!this.#file.note(id)) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#save(() => this.#file.write());
    }, WRITE_AFTER_MS);
  }

  #save(write: () => Promise<void>): void {
    this.#writing = this.#writing.then(write).catch((error) => {
      getLogger(["harness", "server"]).warn(
        "Cannot save which services were registered with the token: {error}",
        { error },
      );
    });
  }
}
