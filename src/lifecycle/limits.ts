/**
 * Limits of services, health checks and supervision, each with its reason.
 *
 * @module
 */

/**
 * What a start that failed reports of the log at most: a program may write one line for ever, and the report that comes
 * before its log must not be lost among it.
 */
export const FAILURE_LOG_BYTES = 64 * 1024;
/** How much of a service's env file is read for its secrets: several times what the system lets a program have. */
export const MAX_ENV_FILE_BYTES = 16 * 1024 * 1024;
/** Size at which a service's log file is rotated. */
export const SERVICE_LOG_MAX_BYTES = 10 * 1024 * 1024;
/** Rotated log files kept beside the current one: 60 MiB a service at most. */
export const SERVICE_LOG_KEEP = 5;
/** How often it is noted how long a log is: `--since` begins at most so many seconds earlier. */
export const LOG_MARK_SECONDS = 10;
/** Such notes that are kept of one log: 1.4 MB, and days of a service that always writes. */
export const MAX_LOG_MARKS = 40_000;
/** How long a freshly started process must stay alive before its start counts as having worked. */
export const START_SETTLE_MS = 500;
/** Longest start: a daemon's start script, an image load, `systemctl start` of a slow unit. */
export const START_TIMEOUT_MS = 60_000;
/** How long the kernel is given to remove what was sent SIGKILL. */
export const KILL_WAIT_MS = 5_000;
/** Extra time over a command's own deadline before the connection is held to be stuck. */
export const COMMAND_GRACE_MS = 10_000;
/** Longest log line; a longer one comes in pieces. */
export const MAX_LOG_LINE_BYTES = 16 * 1024;
/** Most text of one `service_logs` answer: with the rest of the message under what a client takes. */
export const MAX_TAIL_BYTES = 2 * 1024 * 1024;
/** Lines that wait for a slow reader of a followed log before lines are left out. */
export const MAX_FOLLOW_QUEUE_LINES = 2_000;
/** How much of a health script's output or of an HTTP body is read: enough to see why. */
export const MAX_HEALTH_OUTPUT_BYTES = 16 * 1024;
/** Longest one-line message of a health check: it is stored in the registry and sent with every result. */
export const MAX_HEALTH_MESSAGE_LENGTH = 300;
/** First pause between checks while a start is waited for; doubled each time. */
export const WAIT_HEALTHY_FIRST_POLL_MS = 50;
/** Longest pause between checks while a start is waited for; the service's own interval is for the long run. */
export const WAIT_HEALTHY_POLL_MS = 500;
/** Output of the one status command of a machine: 10,000 services at 200 bytes each, with room. */
export const HOST_STATUS_OUTPUT_BYTES = 4 * 1024 * 1024;
/** Longest pause between restarts: a fixed cause (a database back up) is picked up within it. */
export const RESTART_BACKOFF_CAP_MS = 5 * 60_000;
/** Share of a restart pause that is added at random, so that many services do not come back in step. */
export const RESTART_JITTER = 0.2;
/** A service that ran this long is stable: its earlier ends are forgotten. */
export const RESTART_STABLE_MS = 60_000;
/** Ends that are kept as the history of a crash loop. */
export const MAX_RESTART_HISTORY = 20;
/** How often the exit records of local processes are polled: a crash is noticed at once. */
export const LOCAL_EXIT_POLL_MS = 200;
/** How often local services are polled in full. */
export const LOCAL_STATUS_INTERVAL_MS = 1_000;
/** How often the services of another machine are polled, by one command for all of them. */
export const REMOTE_STATUS_INTERVAL_MS = 5_000;
/** Health checks that run at once over all services: more would starve the event loop and the machines. */
export const MAX_CONCURRENT_HEALTH_CHECKS = 16;
/** Longest time without a published health result while nothing changes. */
export const HEALTH_HEARTBEAT_MS = 5 * 60_000;
/** Pause between checks before a freshly started service has passed its first one. */
export const HEALTH_START_INTERVAL_MS = 1_000;
/** Log lines that come with a failed start or a crash. */
export const FAILURE_LOG_LINES = 20;
