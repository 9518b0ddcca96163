/**
 * Instance ids, and the cursors of pages, which are made of them.
 *
 * @module
 */
import { MAX_NAME_LENGTH } from "./limits.ts";

/** Longest id: a service name, `@` and a host. */
export const MAX_ID_LENGTH: number = 2 * MAX_NAME_LENGTH;

/** An instance id: a service name, optionally followed by `@host`. */
export const SERVICE_ID = /^[A-Za-z0-9][A-Za-z0-9._-]*(@[A-Za-z0-9[][A-Za-z0-9._:[\]%-]*)?$/;

/** Whether a value is an instance id: what `serviceIdSchema` accepts. */
export function isServiceId(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_ID_LENGTH && SERVICE_ID.test(value);
}

/** Prefix of a cursor: only cursors of a page are accepted. */
const CURSOR = "after:";

/** The cursor after an entry. */
export function cursorAfter(id: string): string {
  return `${CURSOR}${id}`;
}

/** The id in a {@linkcode cursorAfter}, or `null` for anything else. */
export function idOfCursor(cursor: string): string | null {
  const id = cursor.startsWith(CURSOR) ? cursor.slice(CURSOR.length) : "";
  return isServiceId(id) ? id : null;
}
