/**
 * Bounds of the stores by bytes, each with its reason.
 *
 * @module
 */

/** Changes kept in memory for `history()`, as journal lines; older ones are read from the disk. */
export const HISTORY_RING_BYTES = 2 * 1024 * 1024;
/** The same where there is no disk to read older ones from. */
export const MEMORY_HISTORY_BYTES = 16 * 1024 * 1024;
/** Default size of one answer of `history()`: parsing it takes some milliseconds. */
export const HISTORY_READ_BYTES = 1024 * 1024;
/** Bytes of changes that wait for the disk before new ones are refused: memory stays bounded when it hangs. */
export const MAX_PENDING_BYTES = 64 * 1024 * 1024;
/** Events that `history()` can always give: an hour of a busy fleet, about 10 MB of memory. */
export const MIN_HISTORY_EVENTS = 10_000;
/** Bytes of journal lines written and synced at once: some milliseconds of any disk. */
export const MAX_JOURNAL_BATCH_BYTES = 4 * 1024 * 1024;
/** Changes waiting for the disk before new ones are refused: memory stays bounded when the disk hangs. */
export const MAX_PENDING_CHANGES = 16_384;
/** Size at which the journal starts a new segment: big enough to be rare, small enough to delete early. */
export const JOURNAL_SEGMENT_BYTES = 4 * 1024 * 1024;
/** Quiet time after a change before the snapshot is saved. Durability does not wait for it. */
export const SNAPSHOT_DELAY_MS = 1_000;
/** Longest time that a steady stream of changes can delay a snapshot. */
export const SNAPSHOT_MAX_DELAY_MS = 10_000;
/** Bytes of journal after which a snapshot is saved at once: what a start reads takes a fraction of a second. */
export const SNAPSHOT_JOURNAL_BYTES = 32 * 1024 * 1024;
/** Bytes of journal that only the backup snapshot needs, after which that is replaced. */
export const MAX_BACKUP_JOURNAL_BYTES = 8 * 1024 * 1024;
/** Longest slice of work on a snapshot before it yields to the event loop (the aim is 10 ms). */
export const SNAPSHOT_SLICE_MS = 3;
/** How often `durability: "async"` syncs the journal: what a power cut can cost in that mode. */
export const ASYNC_SYNC_INTERVAL_MS = 1_000;
/** How often `durability: "async"` checks that the state dir is in place, at most: two `stat`s take as long as a write. */
export const ASYNC_CHECK_INTERVAL_MS = 20;
/** Pause between attempts to accept changes again after the disk refused one. */
export const STORAGE_RETRY_MS = 1_000;
/** Minimum lease sweep interval: heartbeats are seconds apart. */
export const LEASE_SWEEP_MS = 50;
/** Largest small document (a deployment record of 1,000 hosts with errors is about 1 MiB). */
export const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024;
