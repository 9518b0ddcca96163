/**
 * Bounds of the stores by bytes, each with its reason.
 *
 * @module
 */

/** Changes kept in memory for `history()`, as they stand in the journal: what is older is read from the disk. */
export const HISTORY_RING_BYTES = 16 * 1024 * 1024;
/** Bytes of one answer of `history()` unless told otherwise: parsing it takes some milliseconds. */
export const HISTORY_READ_BYTES = 1024 * 1024;
/** Bytes of changes that wait for the disk before new ones are refused: memory stays bounded when it hangs. */
export const MAX_PENDING_BYTES = 64 * 1024 * 1024;
