/**
 * The registry in detail: queries, changes, events, and the {@linkcode Store} that a storage engine implements.
 *
 * @example Register, change, and follow a service in one process
 * ```ts
 * import assert from "node:assert/strict";
 * import { MemoryStore } from "@harness/service-registry";
 * import { Registry } from "@harness/service-registry/registry";
 *
 * await using registry = await Registry.open(new MemoryStore());
 * const states: string[] = [];
 * registry.subscribe((event) => {
 *   if (event.event === "service_state_changed") states.push(event.data.new_state);
 * });
 * await registry.register({
 *   name: "web",
 *   version: "1.0.0",
 *   execution: { type: "managed_process", command: "/usr/bin/web" },
 * });
 * await registry.update("web", { state: "starting" });
 * assert.deepEqual(states, ["starting"]);
 * ```
 *
 * @module
 */
// Loaded with the first input elsewhere; here at once: a program with few permissions may read no file later.
import "./input/validate.ts";

export type {
  Checked,
  DeregisterOptions,
  IfRevision,
  RegisterOptions,
  UpdateOptions,
} from "./writer.ts";
export { applyEvent } from "./apply_event.ts";
export type { EntryHead, StoredEntry } from "./entry_text.ts";
export type { KeptText } from "../util/kept_text.ts";
export type { DependencyInfo } from "./dependencies.ts";
export type { Steps } from "../util/steps.ts";
export type { EventsOptions } from "./events.ts";
export type { ServiceFilter } from "./filter.ts";
export type { PageOptions, ServicePage } from "./queries.ts";
export { Registry, type RegistryOptions } from "./registry.ts";
export type { Change, CommitRecord, LoadedState, Store, StoreListener } from "./store.ts";
export type { EventBody, EventFilter, RegistryEvent, StandaloneEvent } from "../model/event.ts";
export type { CheckedServiceInput } from "../model/service.ts";
