/**
 * What an acknowledged change is worth.
 *
 * @module
 */

/** When a change is acknowledged: once it is synced to the disk, or once it is written. */
export const DURABILITIES = ["sync", "async"] as const;

/** One of {@linkcode DURABILITIES}. */
export type Durability = (typeof DURABILITIES)[number];
