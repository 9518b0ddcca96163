/**
 * Lists in parts.
 *
 * @module
 */
import type { ServiceEntry } from "./entry.ts";
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
  for (const entry of index.after(filter, cursor)) {
    if (!wants(entry)) continue;
    if (services.length === limit) {
      return { services, next_cursor: services.at(-1)?.id ?? null };
    }
    services.push(entry);
  }
  return { services, next_cursor: null };
}
