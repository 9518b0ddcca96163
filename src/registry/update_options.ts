/**
 * Options of changes.
 *
 * @module
 */

import type { ServiceEntry } from "../model/service.ts";

/** A condition on a change. */
export interface IfRevision {
  /** Revision the entry must have now; anything else is a `conflict`. */
  ifRevision?: number | undefined;
}

/** Options for `Registry.register()`. */
export interface RegisterOptions {
  /** Replaces an entry of that id. @default {false} */
  replace?: boolean | undefined;
  /** Called when nothing can come between any more, with the entry that is replaced: throws to refuse. */
  admit?: ((current: ServiceEntry | null) => void) | undefined;
}

/** Options for {@linkcode Registry.update}. */
export interface UpdateOptions extends IfRevision {
  /** Facts for the event of a state change, such as an exit code and log lines; not kept in the entry. */
  details?: Record<string, unknown> | undefined;
}

/** Options for `Registry.open()`. */
export interface RegistryOptions {
  /** The clock for all times in entries and events, in epoch milliseconds. @default {Date.now} */
  now?: (() => number) | undefined;
  /** Entries at most. @default {MAX_SERVICES} */
  maxServices?: number | undefined;
}
