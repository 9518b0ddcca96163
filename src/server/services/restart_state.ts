/**
 * Persistent state of restart policies across restarts of the server: whether a restart is due, and how many there
 * were in a row.
 *
 * It is written before the `failed` state that it belongs to, so a server that is killed in between loses no
 * restart. A restart is due only while the entry is `failed`.
 *
 * @module
 */
import { getLogger } from "../../util/log.ts";
import type { RestartState } from "../../lifecycle/supervisor/restart_policy.ts";
import { COLLECTIONS, type DocumentStore } from "../backends.ts";

const COLLECTION = COLLECTIONS.restarts;

const log = getLogger(["harness", "server", "operator"]);

/** Restart states by instance id, in memory and on disk. */
export class RestartStateStore {
  readonly #documents: DocumentStore;
  readonly #byId = new Map<string, RestartState>();

  private constructor(documents: DocumentStore) {
    this.#documents = documents;
  }

  /** Loads the states of earlier runs of the server. */
  static async load(documents: DocumentStore): Promise<RestartStateStore> {
    const store = new RestartStateStore(documents);
    for (const { value } of await documents.list(COLLECTION)) {
      // Written by this file only, and the store checks that it is whole.
      const { id, ...state } = value as RestartState & { id: string };
      store.#byId.set(id, state);
    }
    return store;
  }

  /** The state of an instance, or `null`. */
  get(id: string): RestartState | null {
    return this.#byId.get(id) ?? null;
  }

  /** Stores one; removes it when it is empty. */
  async put(id: string, state: RestartState): Promise<void> {
    if (!state.planned && state.attempts === 0) return await this.remove(id);
    await this.#documents.put(COLLECTION, id, { id, ...state });
    this.#byId.set(id, state);
  }

  /** Like {@linkcode put}, but logs errors. */
  async note(id: string, state: RestartState): Promise<void> {
    await this.put(id, state).catch((error) =>
      log.error("Cannot save the restart state of {id}: {error}", { id, error })
    );
  }

  /** Notes that the restart that was due has happened. The count continues. */
  async done(id: string): Promise<void> {
    const state = this.get(id);
    if (state?.planned) await this.note(id, { ...state, planned: false });
  }

  /** Removes one, if any. */
  async remove(id: string): Promise<void> {
    if (!this.#byId.has(id)) return;
    await this.#documents.remove(COLLECTION, id);
    this.#byId.delete(id);
  }
}
