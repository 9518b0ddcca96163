/**
 * Options of changes.
 *
 * @module
 */

/** A condition on a change. */
export interface IfRevision {
  /** Revision the entry must have now; anything else is a `conflict`. */
  ifRevision?: number | undefined;
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
