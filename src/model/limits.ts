/**
 * Limits that several folders share, each with its reason. Those of one folder are in its own limits.ts.
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

// ---- protocol ----------------------------------------------------------------------------------

/** Entries in one page of `list_services` or of a snapshot. */
export const MAX_PAGE_SIZE = 1000;
/** Names or globs in one subscription. */
export const MAX_SUBSCRIPTION_SERVICES = 256;
/** Hosts of one deployment: "hundreds", with room. */
export const MAX_HOSTS = 1000;
/** Lines of one `service_logs` answer. */
export const MAX_LOG_TAIL_LINES = 10_000;

// ---- lifecycle ---------------------------------------------------------------------------------

/** Longest status, reload or log command: these only look. */
export const LOOK_TIMEOUT_MS = 15_000;

// ---- server ------------------------------------------------------------------------------------

/** One message from a client: room for the largest sensible registration; parses in well under 10 ms. */
export const MAX_MESSAGE_BYTES = 256 * 1024;
/** Nesting of a message: twice what the deepest action needs, far below what could hurt a stack. */
export const MAX_MESSAGE_DEPTH = 32;
/** Connections at once: each costs about 25 kB; the next is refused with 503 before its upgrade. */
export const MAX_CONNECTIONS = 10_000;
/** Requests of one connection that are being worked on: beyond it the client must wait. */
export const MAX_IN_FLIGHT_REQUESTS = 64;
/** Sustained requests a second of one connection; twice as many may come in a burst. */
export const MAX_REQUESTS_PER_SECOND = 1000;
/** By how many the requests refused for their rate may outnumber the accepted ones before 4429. */
export const MAX_RATE_LIMITED_REQUESTS = 1000;
/** Malformed messages in a row before the connection is closed with 4400. */
export const MAX_BAD_MESSAGES = 20;
/** Subscriptions of one connection. */
export const MAX_SUBSCRIPTIONS = 128;
/** Bytes queued for one client; when they are reached, its events wait. */
export const MAX_SEND_QUEUE_BYTES = 1024 * 1024;
/** How long a client with a full queue may take nothing at all before it is a slow consumer (4408). */
export const SEND_STALL_TIMEOUT_MS = 5000;
/** Events kept ready to send for a resume without touching the disk. */
export const REPLAY_RING_EVENTS = 16_384;
/** Bytes of the same: whichever is reached first. */
export const REPLAY_RING_BYTES = 16 * 1024 * 1024;
/** A subscriber that got no event for this long gets a bookmark. */
export const BOOKMARK_INTERVAL_MS = 30_000;
/** A subscriber gets a bookmark before it skipped more events than this. */
export const BOOKMARK_SKIPPED_EVENTS = 1000;
/** A connection whose peer answers no ping for this long is closed. */
export const PING_INTERVAL_MS = 30_000;
/** Time for requests under way and for closing handshakes in a shutdown. */
export const SHUTDOWN_TIMEOUT_MS = 4000;
/** Largest uploaded package: a service with its runtime and a container image inside. */
export const MAX_PACKAGE_BYTES = 2 * 1024 * 1024 * 1024;

// ---- packages ----------------------------------------------------------------------------------

/** Unpacked package, all entries together. */
export const MAX_UNPACKED_BYTES = 16 * 1024 ** 3;
/** Files, directories and links in a package: large `node_modules` fit, a million empty files do not. */
export const MAX_PACKAGE_ENTRIES = 100_000;
/** Unpacked : packed. Real services stay under 20; zeros reach 1,000. */
export const MAX_UNPACK_RATIO = 200;
/** Unpacked bytes below which the ratio is not looked at: small files of zeros are harmless. */
export const UNPACK_RATIO_FLOOR_BYTES = 64 * 1024 * 1024;
/** Longest path inside a package: with the install root it stays well under PATH_MAX (4096). */
export const MAX_ENTRY_PATH_BYTES = 1024;
/** One extended tar header: a path and a link target of the longest kind, with room. */
export const MAX_TAR_EXTENSION_BYTES = 16 * 1024;
/** A minisign key or signature file: they have at most four short lines. */
export const MAX_SIGNATURE_FILE_BYTES = 16 * 1024;
