/**
 * Filters of services and of events.
 *
 * @module
 */
import type { ServiceEntry, ServiceState } from "../model/service.ts";
import type { EventFilter } from "../model/event.ts";
import { globMatcher, isGlob } from "../util/glob.ts";

/** Which services to list; a field left out matches all, and all fields given must match. */
export interface ServiceFilter {
  /** Service name or instance id, or a glob over either. */
  name?: string | undefined;
  /** State. */
  state?: ServiceState | undefined;
  /** Host of a remote service, or `local`; a glob works too. */
  host?: string | undefined;
  /** `key=value`, or `key` for any value. */
  label?: string | undefined;
}

/** The fields that filters read. */
export type FilteredFields = Pick<ServiceEntry, "id" | "name" | "state" | "location" | "labels">;

/** Compiles a filter to a predicate for entries. */
export function serviceMatcher(filter: ServiceFilter): (entry: FilteredFields) => boolean {
  const { state, label } = filter;
  const name = filter.name === undefined ? undefined : globMatcher(filter.name);
  const host = filter.host === undefined ? undefined : globMatcher(filter.host);
  return function wants(entry: FilteredFields): boolean {
    if (state !== undefined && entry.state !== state) return false;
    if (name !== undefined && !name(entry.name) && !name(entry.id)) return false;
    if (host !== undefined) {
      const at = entry.location.type === "local" ? "local" : entry.location.host;
      if (!host(at)) return false;
    }
    return label === undefined || hasLabel(entry.labels, label);
  };
}

function hasLabel(labels: Record<string, string>, wanted: string): boolean {
  // A key may itself hold "=": the whole text as a key is tried first.
  if (Object.hasOwn(labels, wanted)) return true;
  const at = wanted.indexOf("=");
  if (at < 0) return false;
  const key = wanted.slice(0, at);
  return Object.hasOwn(labels, key) && labels[key] === wanted.slice(at + 1);
}

/** The part of an event that filters read. */
export interface EventHead {
  /** Its type. */
  readonly event: string;
  /** Its service and instance. */
  readonly data: { readonly service: string; readonly id: string | null };
}

/** The same of an event with a seq. */
export interface SequencedHead extends EventHead {
  /** Its seq. */
  readonly seq: number;
}

/** Compiles a filter to a predicate for events. */
export function eventMatcher(filter: EventFilter): (event: EventHead) => boolean {
  const types = filter.events === undefined ? null : new Set<string>(filter.events);
  const services = filter.services;
  const exact = new Set(services?.filter((s) => !isGlob(s)));
  const globs = services?.filter(isGlob).map(globMatcher) ?? [];
  return function wants(event: EventHead): boolean {
    if (types !== null && !types.has(event.event)) return false;
    if (services === undefined) return true;
    const { service, id } = event.data;
    if (exact.has(service) || (id !== null && exact.has(id))) return true;
    return globs.some((matches) => matches(service) || (id !== null && matches(id)));
  };
}
