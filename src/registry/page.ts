/**
 * Lists in parts.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import type { ServiceEntry } from "../model/service.ts";
import { cursorAfter, idOfCursor } from "../model/service_schema.ts";
import type { EntryIndex } from "./entry_index.ts";
import { type ServiceFilter, serviceMatcher } from "./filter.ts";

/** Which part of a list to give. */
export interface PageOptions {
  /** Entries at most. */
  limit: number;
  /** The `next_cursor` of the page before. @default {the first page} */
  cursor?: string | undefined;
}

/** A part of a list. */
export interface ServicePage {
  /** Entries, sorted by id. */
  services: ServiceEntry[];
  /** Gives the next page; `null` at the end. */
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
  for (const entry of index.after(filter, idOf(cursor))) {
    if (!wants(entry)) continue;
    if (services.length === limit) {
      const last = services.at(-1);
      return { services, next_cursor: last === undefined ? null : cursorAfter(last.id) };
    }
    services.push(entry);
  }
  return { services, next_cursor: null };
}

/** The id that a cursor stands behind. @throws {HarnessError} `invalid_params` for what is no cursor of ours. */
export function idOf(cursor: string | undefined): string | undefined {
  const id = cursor === undefined ? undefined : idOfCursor(cursor);
  if (id !== null) return id;
  throw new HarnessError(
    "invalid_params",
    "Cannot list services: cursor: must be the next_cursor of a page",
    { details: { issues: [{ path: "cursor", message: "must be the next_cursor of a page" }] } },
  );
}
