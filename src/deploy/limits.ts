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
/** Good releases kept on a host: what Capistrano and Kamal keep. */
export const KEEP_RELEASES = 5;
/** Failed releases kept on a host as evidence: the last one and the one before. */
export const KEEP_BAD_RELEASES = 2;
/** Hosts at once: ten uploads fill most uplinks, and sshd's MaxStartups default is 10. */
export const DEPLOY_PARALLEL = 10;
/** Life of a host's lock without renewal: with the guardian's second it frees itself well within 30 s. */
export const DEPLOY_LOCK_TTL_MS = 20_000;
/** Renewals that may fail within the life of a lock before it is lost. */
export const DEPLOY_LOCK_RENEWALS = 4;
/** Pause between two looks at a lock that somebody else holds. */
export const DEPLOY_LOCK_POLL_MS = 500;
/** One of a deployment's small commands: they take milliseconds; a host that swaps takes seconds. */
export const DEPLOY_COMMAND_TIMEOUT_MS = 60_000;
/** Listing, hashing, extracting and syncing the largest package on a slow disk. */
export const DEPLOY_EXTRACT_TIMEOUT_MS = 15 * 60_000;
/** Longest pause in an upload before it counts as stuck. */
export const DEPLOY_UPLOAD_STALL_MS = 60_000;
/** Least time between two progress events of a host: at most four a second. */
export const DEPLOY_PROGRESS_INTERVAL_MS = 250;
/** Time for one host to go back after a failure or a cancel: stop, switch, start, healthy. */
export const DEPLOY_ROLLBACK_TIMEOUT_MS = 180_000;
/** Time for the second connection, made to clean up after the first broke. */
export const DEPLOY_RECONNECT_TIMEOUT_MS = 10_000;
/** How long a service without a health check must stay up to count as started. */
export const DEPLOY_SETTLE_MS = 1_000;
/** Added to what the health check's own timing asks for, for the commands in between. */
export const DEPLOY_HEALTH_GRACE_MS = 5_000;
/** Free space asked for, as a multiple of the package: the upload, its extracted files, and room. */
export const DEPLOY_SPACE_FACTOR = 4;
/** Space kept back on a host until a switch is committed: records, pid and log files of going back on a full disk. */
export const DEPLOY_RESERVE_BYTES = 256 * 1024;
/** Log lines in a failure report. */
export const DEPLOY_LOG_LINES = 30;
/** Characters of a command's output in a failure report. */
export const DEPLOY_OUTPUT_CHARACTERS = 2_000;
/** Progress events that wait for a reader before older `progress` ones of the same host give way. */
export const DEPLOY_EVENT_QUEUE = 10_000;
