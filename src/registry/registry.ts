/** Published signatures; the bodies follow. */
import type { Endpoint, ServiceEntry, ServiceInput, ServicePatch } from "./entry.ts";
import type { EventBody, EventFilter, RegistryEvent } from "./events.ts";
import type { ServiceFilter } from "./filter.ts";
import type { HealthResult } from "./entry.ts";
import type { Store } from "./store.ts";

/** Options for {@linkcode Registry.events}. */
export interface EventsOptions {
  /** Which events. @default all */
  filter?: EventFilter;
  /** Replay the events after this seq first. @default live only */
  since?: number;
  /** Ends the stream. */
  signal?: AbortSignal;
}

/** The dependency graph around a service, by service names. */
export interface DependencyInfo {
  /** What it needs directly. */
  dependencies: string[];
  /** What needs it directly. */
  dependents: string[];
  /** What it needs, directly or not, that is not registered. */
  unmet: string[];
  /** Waves to start in; the last is the service itself. */
  start_order: string[][];
}

/** The registry. */
export declare class Registry implements AsyncDisposable {
  /** Opens a registry over a store. */
  static open(store: Store, options?: { now?: () => number }): Promise<Registry>;
  /** Lineage of the data. */
  get epoch(): string;
  /** What the store repaired. */
  get warnings(): readonly string[];
  /** Seq of the last event. */
  get seq(): number;
  /** Storage trouble, or null. */
  get problem(): string | null;
  /** Matching entries sorted by id. */
  list(filter?: ServiceFilter): ServiceEntry[];
  /** One page of {@linkcode list}. */
  page(
    filter: ServiceFilter,
    page: { limit: number; cursor?: string | undefined },
  ): { services: ServiceEntry[]; next_cursor: string | null; seq: number };
  /** One entry. */
  get(nameOrId: string): ServiceEntry;
  /** Registers. */
  register(input: ServiceInput, options?: { replace?: boolean }): Promise<ServiceEntry>;
  /** Changes. */
  update(
    nameOrId: string,
    patch: ServicePatch,
    options?: { ifRevision?: number | undefined },
  ): Promise<ServiceEntry>;
  /** Records a health result, and emits its event, even when it equals the last one. */
  recordHealth(nameOrId: string, result: HealthResult): Promise<ServiceEntry>;
  /** Removes. */
  deregister(nameOrId: string, options?: { ifRevision?: number | undefined }): Promise<void>;
  /** Renews a lease. */
  heartbeat(nameOrId: string): Promise<{ expires_at: string }>;
  /** An event without an entry change. */
  publish(body: EventBody): Promise<void>;
  /** All endpoints by id. */
  endpoints(): Record<string, Endpoint[]>;
  /** Where a service can be reached now. */
  resolve(service: string, endpoint?: string): Array<Endpoint & { id: string }>;
  /** Dependency graph. */
  dependencies(nameOrId: string): DependencyInfo;
  /** Synchronous listener. */
  subscribe(listener: (event: RegistryEvent) => void): () => void;
  /** Web stream of events. */
  events(options?: EventsOptions): ReadableStream<RegistryEvent>;
  /** Events after a seq, or null when not all are kept. */
  history(afterSeq: number, limit: number): Promise<RegistryEvent[] | null>;
  /** Closes the store. */
  close(): Promise<void>;
  /** Closes the store. */
  [Symbol.asyncDispose](): Promise<void>;
}
