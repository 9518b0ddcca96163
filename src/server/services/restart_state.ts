/**
 * What the restart policies of controlled services must not forget when the server is started anew: whether
 * a restart is due, and how many there were in a row.
 *
 * A memory is written before the `failed` that it belongs to is recorded, so a server that is killed in
 * between has forgotten no restart. It means a restart only while the entry is `failed`.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { RestartState } from "../../lifecycle/supervisor/restart_policy.ts";
import type { DocumentStore } from "../backends.ts";

const COLLECTION = "restarts";

const log = getLogger(["harness", "server", "operator"]);

/** The memories by instance id, in memory and on disk. */
export class RestartStateStore {
  readonly #documents: DocumentStore;
  readonly #byId = new Map<string, RestartState>();

  private constructor(documents: DocumentStore) {
    this.#documents = documents;
  }

  /** Loads what an earlier server left. */
  static async load(documents: DocumentStore): Promise<RestartStateStore> {
    const memories = new RestartStateStore(documents);
    for (const { value } of await documents.list(COLLECTION)) {
      // Written by this file only, and the store checks that it is whole.
      const { id, ...memory } = value as RestartState & { id: string };
      memories.#byId.set(id, memory);
    }
    return memories;
  }

  /** The memory of an instance. */
  get(id: string): RestartState | null {
    return this.#byId.get(id) ?? null;
  }

  /** Keeps one; one that says nothing is not kept. */
  async put(id: string, memory: RestartState): Promise<void> {
    if (!memory.planned && memory.attempts === 0) return await this.remove(id);
    await this.#documents.put(COLLECTION, id, { id, ...memory });
    this.#byId.set(id, memory);
  }

  /** Like {@linkcode put}; what cannot be written is logged. */
  async note(id: string, memory: RestartState): Promise<void> {
    await this.put(id, memory).catch((error) =>
      log.error("Cannot keep the restarts of {id}: {error}", { id, error })
    );
  }

  /** The restart that was due has been made: no later `failed` is a reason for it. The count goes on. */
  async done(id: string): Promise<void> {
    const memory = this.get(id);
    if (memory?.planned) await this.note(id, { ...memory, planned: false });
  }

  /** Forgets one; fine when there is none. */
  async remove(id: string): Promise<void> {
    if (!this.#byId.has(id)) return;
    await this.#documents.remove(COLLECTION, id);
    this.#byId.delete(id);
  }
}
