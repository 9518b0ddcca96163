/**
 * Limits of deployments, each with its reason.
 *
 * @module
 */

/**
 * Timeout of connect, lock and preflight on one host, together: a login through two jump hosts and the commands on a
 * machine that swaps take that long; a host that hangs after its login must not occupy a slot of the fleet any longer.
 * Waiting for a held lock and undoing an interrupted deployment have limits of their own.
 */
export const DEPLOY_BEGIN_TIMEOUT_MS = 45_000;

/** Timeout of cleanup before the switch: two small commands; the watchdog does what they miss. */
export const DEPLOY_CLEANUP_TIMEOUT_MS = 10_000;
/** Good releases kept on a host: what Capistrano and Kamal keep. */
export const KEEP_RELEASES = 5;
/** Failed releases kept on a host as evidence: the last one and the one before. */
export const KEEP_BAD_RELEASES = 2;
/** Hosts at once: ten uploads fill most uplinks, and sshd's MaxStartups default is 10. */
export const DEPLOY_PARALLEL = 10;
/** Life of a host's lock without renewal: with the watchdog's second it expires well within 30 s. */
export const DEPLOY_LOCK_TTL_MS = 20_000;
/** Renewals that may fail within the life of a lock before it is lost. */
export const DEPLOY_LOCK_RENEWALS = 4;
/** Poll interval of a lock that is held by another deployment. */
export const DEPLOY_LOCK_POLL_MS = 500;
/** Timeout of small commands: they take milliseconds; a host that swaps takes seconds. */
export const DEPLOY_COMMAND_TIMEOUT_MS = 60_000;
/** Timeout of listing, hashing, extracting and syncing the largest package on a slow disk. */
export const DEPLOY_EXTRACT_TIMEOUT_MS = 15 * 60_000;
/** Time without progress after which an upload counts as stalled. */
export const DEPLOY_UPLOAD_STALL_MS = 60_000;
/** Minimum time between two progress events of a host: at most four a second. */
export const DEPLOY_PROGRESS_INTERVAL_MS = 250;
/** Timeout of the rollback of one host: stop, switch, start, healthy. */
export const DEPLOY_ROLLBACK_TIMEOUT_MS = 180_000;
/** Timeout of the second connection, made to clean up after the first one broke. */
export const DEPLOY_RECONNECT_TIMEOUT_MS = 10_000;
/** How long a service without a health check must stay up to count as started. */
export const DEPLOY_SETTLE_MS = 1_000;
/** Added to the timing of the health check, for the commands in between. */
export const DEPLOY_HEALTH_GRACE_MS = 5_000;
/** Required free space as a multiple of the package: the upload, its extracted files, and a margin. */
export const DEPLOY_SPACE_FACTOR = 4;
/** Space reserved on a host until a switch is committed: the records, pid and log files of a rollback on a full disk. */
export const DEPLOY_RESERVE_BYTES = 256 * 1024;
/** Log lines in a failure report. */
export const DEPLOY_LOG_LINES = 30;
/** Characters of a command's output in a failure report. */
export const DEPLOY_OUTPUT_CHARACTERS = 2_000;
/** Queued progress events beyond which those with status `progress` are dropped. */
export const DEPLOY_EVENT_QUEUE = 10_000;
