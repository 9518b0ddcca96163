/**
 * Limits that several folders share, each with its reason; those of one folder are in its own limits.ts.
 *
 * The limits that an operator can change are the table of `server_limits.ts`.
 *
 * @module
 */

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

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
/** Longest lease: one day; a service that needs longer does not need a lease. */
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

/** Longest status, reload or log command: these only read. */
export const STATUS_TIMEOUT_MS = 15_000;

// ---- server ------------------------------------------------------------------------------------

/** Nesting of a message: twice what the deepest action needs, far below what could hurt a stack. */
export const MAX_MESSAGE_DEPTH = 32;
/** Largest uploaded package: a service with its runtime and a container image inside. */
export const MAX_PACKAGE_BYTES = 2 * GIB;

// ---- packages ----------------------------------------------------------------------------------

/** Unpacked package, all entries together. */
export const MAX_UNPACKED_BYTES = 16 * GIB;
/** Files, directories and links in a package: large `node_modules` fit, a million empty files do not. */
export const MAX_PACKAGE_ENTRIES = 100_000;
/** Unpacked : packed. Real services stay under 20; zeros reach 1,000. */
export const MAX_UNPACK_RATIO = 200;
/** Unpacked bytes below which the ratio is not checked: small files of zeros are harmless. */
export const UNPACK_RATIO_FLOOR_BYTES = 64 * MIB;
/** Longest path inside a package: with the install root it stays well under PATH_MAX (4096). */
export const MAX_ENTRY_PATH_BYTES = 1024;
/** One extended tar header: a path and a link target of the longest kind, with room. */
export const MAX_TAR_EXTENSION_BYTES = 16 * KIB;
/** A minisign key or signature file: they have at most four short lines. */
export const MAX_SIGNATURE_FILE_BYTES = 16 * KIB;
