/**
 * Finding entries by what a caller gives: an instance id or a service name.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import type { ServiceEntry } from "../model/service.ts";
import type { EntryIndex } from "./entry_index.ts";

/** Ids named in the text of an `ambiguous` error. */
const MAX_IDS_IN_MESSAGE = 5;
/** Ids in its details: more than anybody looks through. */
const MAX_IDS_IN_DETAILS = 1000;

/** The entry of an id, or of a name that has one instance. @throws {HarnessError} `not_found`, `ambiguous`. */
export function findEntry(index: EntryIndex, nameOrId: string): ServiceEntry {
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
  const named = index.idsOf(nameOrId).flatMap((id) => index.get(id) ?? []);
  if (named.length > 0) return named;
  const exact = index.get(nameOrId);
  if (exact === undefined) throw notFound(nameOrId);
  return [exact];
}

/** The service name of an id or name. @throws {HarnessError} `not_found`. */
export function findName(index: EntryIndex, nameOrId: string): string {
  const name = index.hasName(nameOrId) ? nameOrId : index.get(nameOrId)?.name;
  if (name === undefined) throw notFound(nameOrId);
  return name;
}

/** The error for a service that is not registered. */
export function notFound(nameOrId: string): HarnessError {
  return new HarnessError(
    "not_found",
    `Cannot find service "${nameOrId}": it is not registered; list_services shows what is`,
    { details: { name: nameOrId } },
  );
}
