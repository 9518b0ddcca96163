/**
 * Every bound in the program: one named constant each, with its reason.
 *
 * Those that an operator may want to change are also flags of `serve`; the flag's default is the
 * constant here.
 *
 * @module
 */

// ---- registry ----------------------------------------------------------------------------------

/** Longest service name: the contract's `^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`. */
export const MAX_NAME_LENGTH = 128;
/** Longest free text in an entry (label, argument, metadata): keeps an entry well under a message. */
export const MAX_TEXT_LENGTH = 4096;
/** Endpoints of one service: more than any real service has, small enough to send as one event. */
export const MAX_ENDPOINTS = 64;
/** Names in `depends_on`. */
export const MAX_DEPENDENCIES = 256;
/** Labels of one service. */
export const MAX_LABELS = 64;
/** Shortest lease: below it, ordinary scheduling delays would expire healthy services. */
export const MIN_TTL_MS = 100;
/** Longest lease: one day; whoever needs longer does not need a lease. */
export const MAX_TTL_MS = 24 * 60 * 60 * 1000;
/** Services in one registry: an order above the largest fleet we test (10,000). */
export const MAX_SERVICES = 100_000;
/** Events a reader of `registry.events()` may lag behind before its stream is errored. */
export const MAX_EVENT_QUEUE = 4096;

// ---- protocol ----------------------------------------------------------------------------------

/** Entries in one page of `list_services` or of a snapshot. */
export const MAX_PAGE_SIZE = 1000;
/** Names or globs in one subscription. */
export const MAX_SUBSCRIPTION_SERVICES = 256;
/** Hosts of one deployment: "hundreds", with room. */
export const MAX_HOSTS = 1000;
/** Lines of one `service_logs` answer. */
export const MAX_LOG_TAIL_LINES = 10_000;

// ---- executor ----------------------------------------------------------------------------------

/** How much of a command's stdout and of its stderr is kept: enough for any log tail. */
export const MAX_COMMAND_OUTPUT_BYTES = 1024 * 1024;

// ---- client ------------------------------------------------------------------------------------

/** How long opening a connection may take, hello included: covers a slow TLS handshake across the world. */
export const CLIENT_CONNECT_TIMEOUT_MS = 10_000;
/** How long a call waits for its response unless told otherwise. */
export const CLIENT_CALL_TIMEOUT_MS = 30_000;
/** The same for `service_action`, which answers only after the service was really stopped or started. */
export const CLIENT_SERVICE_ACTION_TIMEOUT_MS = 5 * 60_000;
/** Upper edge of the first reconnect delay: a restarted server is back within it. */
export const CLIENT_RECONNECT_MIN_DELAY_MS = 500;
/** Upper edge of every later one: nobody waits long, and 1,000 clients mean 100 attempts a second. */
export const CLIENT_RECONNECT_MAX_DELAY_MS = 20_000;
/** Shortest pause after 4429: the server asked for fewer requests. */
export const CLIENT_RATE_LIMIT_PAUSE_MS = 5_000;
/** A connection that lived this long was good: the next failure starts with the first delay again. */
export const CLIENT_STABLE_CONNECTION_MS = 10_000;
/** Silence after which the client asks whether the server is still there: above the 30 s between bookmarks. */
export const CLIENT_IDLE_PROBE_MS = 45_000;
/** How long the answer to that question, or to a close frame, may take. */
export const CLIENT_PROBE_TIMEOUT_MS = 10_000;
/** How long `close()` waits for the server's close frame before it lets go of the socket. */
export const CLIENT_CLOSE_TIMEOUT_MS = 2_000;
/** Events kept for a reader that lags; beyond it they are fetched again once the reader has caught up. */
export const CLIENT_EVENT_BUFFER = 1024;
/** Calls that may wait for responses at once: above any server's in-flight limit, bounds memory. */
export const MAX_CLIENT_PENDING_CALLS = 4096;
