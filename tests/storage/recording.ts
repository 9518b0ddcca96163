/** Records what a store committed, so that any later load can be judged. */
import assert from "node:assert/strict";
import type { ServiceEntry } from "../../src/model/service.ts";
import { Registry } from "../../src/registry/registry.ts";
import type { CommitRecord, Store } from "../../src/registry/store.ts";
import { FileStore, type FileStoreOptions } from "../../src/storage/file_store.ts";

/** The state after each change, as text. */
export class History {
  /** Seq of the last change. */
  seq = 0;
  readonly #services = new Map<string, ServiceEntry>();
  readonly #states = new Map<number, string>([[0, "[]"]]);
  /** Every version of every entry that ever was, as text. */
  readonly versions = new Set<string>();

  /** Takes a change. */
  add({ seq, put, remove }: CommitRecord): void {
    if (put !== undefined) {
      this.#services.set(put.id, put);
      this.versions.add(JSON.stringify(put));
    }
    if (remove !== undefined) this.#services.delete(remove);
    this.#states.set(seq, stateText([...this.#services.values()]));
    this.seq = seq;
  }

  /** The state at a seq; `undefined` when no change ended there. */
  at(seq: number): string | undefined {
    return this.#states.get(seq);
  }
}

/** A state as text. */
export function stateText(services: readonly ServiceEntry[]): string {
  return JSON.stringify([...services].sort((a, b) => a.id < b.id ? -1 : 1));
}

/** The store, with every change also given to `history`, once it is durable and before it is acknowledged. */
export function recorded(store: Store, history: History): Store {
  return {
    open: (listener) =>
      store.open({
        ...listener,
        onCommit(record): void {
          history.add(record);
          listener.onCommit(record);
        },
      }),
    commit: (change) => store.commit(change),
    history: (...wanted) => store.history(...wanted),
    lease: (id, ttlMs) => store.lease(id, ttlMs),
    endLease: (id) => store.endLease(id),
    close: () => store.close(),
  };
}

/** Opens a registry over files, runs `use`, and closes it. */
export async function withRegistry<T>(
  options: FileStoreOptions,
  use: (registry: Registry) => Promise<T> | T,
  history: History = new History(),
): Promise<T> {
  await using registry = await Registry.open(recorded(new FileStore(options), history));
  return await use(registry);
}

/** Runs `use` with a temp dir. */
export async function withTempDir<T>(use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await Deno.makeTempDir({ prefix: "harness-storage-" });
  try {
    return await use(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Checks that a loaded registry is exactly what the history has at its seq. */
export function assertState(registry: Registry, history: History, what: string): void {
  assert.equal(stateText(registry.list()), history.at(registry.seq), `${what} at ${registry.seq}`);
}

/** Writes a line of figures to the test's output. */
export function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}
