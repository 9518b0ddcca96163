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
/** How often the services of this machine are polled where not all of them are watched. */
export const LOCAL_STATUS_INTERVAL_MS = 1_000;
/** The same of another machine, by one command for all of them. */
export const REMOTE_STATUS_INTERVAL_MS = 5_000;
/** How often the services of a machine are polled while a watcher watches all of them. */
export const WATCHED_STATUS_INTERVAL_MS = 15_000;
/** Polls in a row because of hints after which nothing had changed. */
export const MAX_HINTED_POLLS = 10;
/** Pause between further ones: whatever a machine prints, it is polled no more often than one without a watcher. */
export const FALSE_HINT_INTERVAL_MS = REMOTE_STATUS_INTERVAL_MS;
/** The same after a change: services that end one after the other are noticed at once, a machine that never rests is not. */
export const TRUE_HINT_INTERVAL_MS = 1_000;
/** Services watched on one machine: a look at each four times a second is a hundredth of a processor. */
export const MAX_WATCH_POINTS = 500;
/** Pause before a list of what to watch is sent: services come and go in groups. */
export const WATCH_LIST_PAUSE_MS = 50;
/** How often a watcher says that it lives. */
export const WATCH_SIGN_OF_LIFE_MS = 5_000;
/** Silence after which it counts as dead. */
export const WATCH_SILENCE_MS = 15_000;
/** What a watcher may print: four times what 500 services that have all ended make. */
export const WATCH_BYTES_PER_S = 64 * 1024;
/** What is read of that at once, and the pause before the next: a machine that prints without end costs nothing. */
export const WATCH_READ_BYTES = 4 * 1024;
/** See {@linkcode WATCH_READ_BYTES}. */
export const WATCH_READ_PAUSE_MS = 100;
/** First pause before a watcher that has ended is started again; doubled each time. */
export const WATCH_RETRY_BASE_MS = 1_000;
/** Longest such pause. */
export const WATCH_RETRY_CAP_MS = 5 * 60_000;
/** A watcher that has worked for this long begins with the first pause again. */
export const WATCH_STABLE_MS = 60_000;
/** How long a watcher may take to end when its stdin does: a second where its shell has to sleep. */
export const WATCH_CLOSE_GRACE_MS = 2_000;
/** Health checks that run at once over all services: more would starve the event loop and the machines. */
export const MAX_CONCURRENT_HEALTH_CHECKS = 16;
/** Longest time without a published health result while nothing changes. */
export const HEALTH_HEARTBEAT_MS = 5 * 60_000;
/** Pause between checks before a freshly started service has passed its first one. */
export const HEALTH_START_INTERVAL_MS = 1_000;
/** Log lines that come with a failed start or a crash. */
export const FAILURE_LOG_LINES = 20;
