/**
 * Which services and which events a reader wants: globs and filters.
 *
 * @module
 */
import type { ServiceEntry, ServiceState } from "../model/service.ts";
import type { EventBody, EventFilter } from "../model/event.ts";

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

/** Whether `pattern` has a wildcard. */
export function isGlob(pattern: string): boolean {
  return pattern.includes("*") || pattern.includes("?");
}

/**
 * Whether `text` matches `pattern`, in which `*` stands for any run of characters and `?` for one.
 * All else is literal: an id may hold the brackets of an IPv6 host.
 *
 * Takes at most `pattern.length * text.length` steps, whatever the pattern.
 *
 * @example Usage
 * ```ts
 * console.assert(matchesGlob("api-*", "api-users"));
 * console.assert(!matchesGlob("web@host-?", "web@host-10"));
 * ```
 */
export function matchesGlob(pattern: string, text: string): boolean {
  return textMatcher(pattern)(text);
}

/** Whether an entry is wanted by a filter. For many entries against one filter: {@linkcode serviceMatcher}. */
export function matchesService(entry: ServiceEntry, filter: ServiceFilter): boolean {
  return serviceMatcher(filter)(entry);
}

/** A function that tells like {@linkcode matchesService}, prepared for one filter and many entries. */
export function serviceMatcher(filter: ServiceFilter): (entry: ServiceEntry) => boolean {
  const { state, label } = filter;
  const name = filter.name === undefined ? undefined : textMatcher(filter.name);
  const host = filter.host === undefined ? undefined : textMatcher(filter.host);
  return function wants(entry: ServiceEntry): boolean {
    if (state !== undefined && entry.state !== state) return false;
    if (name !== undefined && !name(entry.name) && !name(entry.id)) return false;
    if (host !== undefined) {
      const at = entry.location.type === "local" ? "local" : entry.location.host;
      if (!host(at)) return false;
    }
    return label === undefined || hasLabel(entry.labels, label);
  };
}

/** A function that tells like {@linkcode matchesGlob}, prepared for one pattern and many texts. */
function textMatcher(pattern: string): (text: string) => boolean {
  if (!isGlob(pattern)) return (text) => text === pattern;
  const parts = pattern.split("*");
  const least = parts.reduce((sum, part) => sum + part.length, 0);
  const first = parts.shift() ?? "";
  const last = parts.pop();
  if (last === undefined) return (text) => text.length === least && isAt(text, first, 0);
  const middle = parts.filter((part) => part !== "");
  return function matches(text: string): boolean {
    const end = text.length - last.length;
    if (text.length < least || !isAt(text, first, 0) || !isAt(text, last, end)) return false;
    let at = first.length;
    for (const part of middle) {
      at = indexOf(text, part, at);
      if (at < 0 || at + part.length > end) return false;
      at += part.length;
    }
    return true;
  };
}

const ANY_CHARACTER = "?".charCodeAt(0);

/** Whether `part`, in which `?` stands for any character, is in `text` at an index. */
function isAt(text: string, part: string, at: number): boolean {
  for (let i = 0; i < part.length; i++) {
    const code = part.charCodeAt(i);
    if (code !== ANY_CHARACTER && code !== text.charCodeAt(at + i)) return false;
  }
  return true;
}

/** The first index from `from` on at which `part` is, or -1. */
function indexOf(text: string, part: string, from: number): number {
  if (!part.includes("?")) return text.indexOf(part, from);
  for (let at = from; at + part.length <= text.length; at++) {
    if (isAt(text, part, at)) return at;
  }
  return -1;
}

function hasLabel(labels: Record<string, string>, wanted: string): boolean {
  // A key may itself hold "=": the whole text as a key is tried first.
  if (Object.hasOwn(labels, wanted)) return true;
  const at = wanted.indexOf("=");
  if (at < 0) return false;
  const key = wanted.slice(0, at);
  return Object.hasOwn(labels, key) && labels[key] === wanted.slice(at + 1);
}

/** Whether an event is wanted by a filter. For many events against one filter: {@linkcode eventMatcher}. */
export function matchesFilter(event: EventBody, filter: EventFilter): boolean {
  if (filter.events !== undefined && !filter.events.includes(event.event)) return false;
  if (filter.services === undefined) return true;
  const { service, id } = event.data;
  return filter.services.some((wanted) =>
    wanted === service || wanted === id ||
    (isGlob(wanted) && (matchesGlob(wanted, service) || (id !== null && matchesGlob(wanted, id))))
  );
}

/** What a filter looks at of an event. */
export interface EventHead {
  /** Its type. */
  readonly event: string;
  /** Whom it is about. */
  readonly data: { readonly service: string; readonly id: string | null };
}

/** The same of an event that has its place. */
export interface SequencedHead extends EventHead {
  /** Its seq. */
  readonly seq: number;
}

/** A function that tells like {@linkcode matchesFilter}, prepared for one filter and many events. */
export function eventMatcher(filter: EventFilter): (event: EventHead) => boolean {
  const types = filter.events === undefined ? null : new Set<string>(filter.events);
  const services = filter.services;
  const exact = new Set(services?.filter((s) => !isGlob(s)));
  const globs = services?.filter(isGlob).map(textMatcher) ?? [];
  return function wants(event: EventHead): boolean {
    if (types !== null && !types.has(event.event)) return false;
    if (services === undefined) return true;
    const { service, id } = event.data;
    if (exact.has(service) || (id !== null && exact.has(id))) return true;
    return globs.some((matches) => matches(service) || (id !== null && matches(id)));
  };
}
