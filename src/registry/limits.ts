/**
 * Limits of the registry, each with its reason.
 *
 * @module
 */
/** Services in one registry: an order above the largest fleet we test (10,000). */
export const MAX_SERVICES = 100_000;
/** Events a reader of `registry.events()` may lag behind before its stream is errored. */
export const MAX_EVENT_QUEUE = 4096;
/** When the expiry of a lease could not be recorded, it is tried again after this. */
export const LEASE_RETRY_MS = 1_000;
