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
