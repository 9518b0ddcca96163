/**
 * Bounds of deployments, each with its reason.
 *
 * @module
 */

/**
 * Connecting, locking and looking at one host, together: a login through two jump hosts and the commands on a machine
 * that swaps take that long; a host that hangs after its login must not hold a place in the fleet any longer. Waiting
 * for somebody else's lock and undoing what an interrupted deployment left have bounds of their own.
 */
export const DEPLOY_BEGIN_TIMEOUT_MS = 45_000;

/** Cleaning up on a host that was not switched yet: two small commands; what they miss, its guardian does. */
export const DEPLOY_CLEANUP_TIMEOUT_MS = 10_000;
