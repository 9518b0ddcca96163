/**
 * Read queries on the entries: by id or name, by page, and the endpoints of a service that can be reached.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import type { Endpoint, ServiceEntry } from "../model/service.ts";
import { cursorAfter, idOfCursor } from "../model/service_id.ts";
import type { StoredEntry } from "./entry_text.ts";
import { notFound } from "./errors.ts";
import type { EntryIndex } from "./entry_index.ts";
import { type ServiceFilter, serviceMatcher } from "./filter.ts";

/** Ids named in the text of an `ambiguous` error. */
const MAX_IDS_IN_MESSAGE = 5;
/** Ids in its details. */
const MAX_IDS_IN_DETAILS = 1000;

/** The entry of an id, or of a name that has one instance. @throws {HarnessError} `not_found`, `ambiguous`. */
export function findEntry(index: EntryIndex, nameOrId: string): StoredEntry {
  const exact = index.get(nameOrId);
  if (exact !== undefined) return exact;
  const ids = index.idsOf(nameOrId);
  const only = ids.length === 1 && ids[0] !== undefined ? index.get(ids[0]) : undefined;
  if (only !== undefined) return only;
  if (ids.length === 0) throw notFound(nameOrId);
  const some = ids.slice(0, MAX_IDS_IN_MESSAGE).join(", ");
  throw new HarnessError(
    "ambiguous",
    `Cannot pick an instance of "${nameOrId}": it has ${ids.length}; give one of the ids ${some}` +
      (ids.length > MAX_IDS_IN_MESSAGE ? ", …" : ""),
    { details: { ids: ids.slice(0, MAX_IDS_IN_DETAILS) } },
  );
}

/** All instances of a name, or the one of an id, sorted by id. @throws {HarnessError} `not_found`. */
export function findInstances(index: EntryIndex, nameOrId: string): ServiceEntry[] {
  const named = index.idsOf(nameOrId).flatMap((id) => index.get(id)?.entry ?? []);
  if (named.length > 0) return named;
  const exact = index.get(nameOrId);
  if (exact === undefined) throw notFound(nameOrId);
  return [exact.entry];
}

/** Entries to compare with a name that there is not: all of few, else those around its place in their order. */
export function entriesAround(
  { sorted }: EntryIndex,
  name: string,
  most: number,
): readonly StoredEntry[] {
  if (sorted.length <= most) return sorted;
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle]?.id ?? "") < name) low = middle + 1;
    else high = middle;
  }
  const from = Math.min(Math.max(0, low - (most >>> 1)), sorted.length - most);
  return sorted.slice(from, from + most);
}

/** The service name of an id or name. @throws {HarnessError} `not_found`. */
export function findName(index: EntryIndex, nameOrId: string): string {
  const name = index.hasName(nameOrId) ? nameOrId : index.get(nameOrId)?.name;
  if (name === undefined) throw notFound(nameOrId);
  return name;
}

/** One page of a list. */
export interface PageOptions {
  /** Entries at most. */
  limit: number;
  /** The `next_cursor` of the previous page. @default {the first page} */
  cursor?: string | undefined;
}

/** A part of a list. */
export interface ServicePage {
  /** Entries, sorted by id. */
  services: ServiceEntry[];
  /** Cursor of the next page; `null` at the end. */
  next_cursor: string | null;
}

/** The entries after the cursor's id that match. An entry that stays is on exactly one page. */
export function pageOf(
  index: EntryIndex,
  filter: ServiceFilter,
  { limit, cursor }: PageOptions,
): ServicePage {
  const wants = serviceMatcher(filter);
  const services: ServiceEntry[] = [];
  for (const entry of index.after(filter, cursorId(cursor))) {
    if (!wants(entry)) continue;
    if (services.length === limit) {
      const last = services.at(-1);
      return { services, next_cursor: last === undefined ? null : cursorAfter(last.id) };
    }
    services.push(entry.entry);
  }
  return { services, next_cursor: null };
}

/** The id in a cursor. @throws {HarnessError} `invalid_params` for a malformed cursor. */
export function cursorId(cursor: string | undefined): string | undefined {
  const id = cursor === undefined ? undefined : idOfCursor(cursor);
  if (id !== null) return id;
  throw new HarnessError(
    "invalid_params",
    "Cannot list services: cursor: must be the next_cursor of a page",
    { details: { issues: [{ path: "cursor", message: "must be the next_cursor of a page" }] } },
  );
}

/** Whether an instance may be sent requests: it runs, and its last health check, if any, passed. */
function isUsable(entry: ServiceEntry): boolean {
  return entry.state === "running" && entry.last_health_check?.healthy !== false;
}

/**
 * The endpoints of the usable ones among the instances of a service.
 *
 * @throws {HarnessError} `not_found` when usable instances have no endpoint of this name, `unavailable`
 * when no instance is usable.
 */
export function resolveEndpoints(
  service: string,
  instances: readonly ServiceEntry[],
  endpoint?: string,
): Array<Endpoint & { id: string }> {
  const usable = instances.filter(isUsable);
  const found = usable.flatMap(({ id, endpoints }) =>
    endpoints
      .filter(({ name }) => endpoint === undefined || name === endpoint)
      .map((e) => ({ id, ...e }))
  );
  if (found.length > 0) return found;
  if (usable.length === 0) {
    const why = instances.slice(0, 3).map(whyUnusable).join(", ") +
      (instances.length > 3 ? ` and ${instances.length - 3} more` : "");
    throw new HarnessError(
      "unavailable",
      `Cannot resolve "${service}": no instance is running and healthy (${why})`,
      { details: { service, instances: instances.length } },
    );
  }
  const names = [...new Set(usable.flatMap((e) => e.endpoints.map(({ name }) => name)))].sort();
  if (endpoint === undefined || names.length === 0) {
    throw new HarnessError(
      "unavailable",
      `Cannot resolve "${service}": its running instances have no endpoints`,
      { details: { reason: "no_endpoints", service, instances: instances.length } },
    );
  }
  throw new HarnessError(
    "not_found",
    `Cannot resolve endpoint "${endpoint}" of "${service}": it has ${names.join(", ")}`,
    { details: { service, endpoint, endpoints: names } },
  );
}

function whyUnusable({ id, state, state_reason, last_health_check }: ServiceEntry): string {
  const reason = state === "running" ? last_health_check?.message : state_reason;
  const what = state === "running" ? "unhealthy" : state;
  return reason === null || reason === undefined ? `${id}: ${what}` : `${id}: ${what}, ${reason}`;
}
