/**
 * Bounds on what peers may take before anybody knows who they are, each with its reason.
 *
 * @module
 */

/**
 * Descriptors kept for our own files while clients take all they can get: journal segment, snapshot and
 * their directories, some uploads and downloads, and the pipes and sockets of a few deployments.
 */
export const DESCRIPTOR_RESERVE = 64;
/** Part of the limit that the reserve takes at most: with `ulimit -n 64` clients still get something. */
export const DESCRIPTOR_RESERVE_SHARE = 4;
/** Fewer free descriptors than this count as none: one connection being accepted needs one. */
export const DESCRIPTOR_PROBE = 8;
/** Descriptors that must be free besides the reserve before connections are accepted again. */
export const DESCRIPTOR_HEADROOM = 16;
/** How often free descriptors are looked for; the probe itself takes some microseconds. */
export const DESCRIPTOR_POLL_MS = 250;
/** So many new connections between two looks are a burst, which may have taken all descriptors. */
export const ACCEPT_BURST = 32;
/** Accepting is tried this often also without a burst: it may have failed at any connection, and nothing says so. */
export const ACCEPT_TRY_INTERVAL_MS = 5000;
/** So many looks a listener may take to accept a connection of our own: it takes one. */
export const ACCEPT_CHECK_TURNS = 100;
/** Pause between those looks. */
export const ACCEPT_TURN_MS = 5;
/** Longest pause between attempts to listen again after the port could not be had. */
export const LISTEN_RETRY_MAX_MS = 5000;
/** TCP connections beyond `maxConnections`: health checks, packages, and the 503 that says so. */
export const EXTRA_TCP_CONNECTIONS = 256;
/** How long a refused peer may take to read why. */
export const REFUSED_LINGER_MS = 2000;
/** Requests of one connection before the answer to the first: no browser and no `fetch` sends a second. */
export const MAX_PIPELINED_REQUESTS = 16;
/** How often connections without a request are looked through, as a part of their time. */
export const IDLE_SWEEPS = 4;
/** Wrong tokens of one address that are answered 401: people who try, and clients with an old token. */
export const FREE_WRONG_TOKENS = 30;
/** Back-off after those; doubled with each further wrong token. */
export const WRONG_TOKEN_BACKOFF_MS = 1000;
/** Longest back-off: whoever has found the right token need not wait, see `auth_backoff.ts`. */
export const WRONG_TOKEN_BACKOFF_MAX_MS = 60_000;
/** An address without a wrong token for this long starts anew. */
export const WRONG_TOKEN_MEMORY_MS = 10 * 60_000;
/** Addresses counted at once, about 200 bytes each; the one that was quiet longest is forgotten first. */
export const MAX_COUNTED_ADDRESSES = 10_000;
/** One log line per address in this time; what came between is a number in the next one. */
export const LOG_INTERVAL_MS = 60_000;
/** Addresses remembered for that, about 200 bytes each; the oldest are forgotten first. */
export const MAX_LOGGED_ADDRESSES = 4096;
/** Log lines in that time for all addresses together: a botnet must not fill the log either. */
export const MAX_LOG_LINES = 60;

/** Downloads at once, half of them to one address: a fleet's worth of hosts that fetch a package. */
export const MAX_DOWNLOADS = 128;
/** One address gets this part of all transfers. */
export const TRANSFERS_SHARE = 2;
/** Hardly anything: less than this in that time, about 1 kB a second. */
export const MIN_TRANSFER_BYTES = 32 * 1024;
/** Left free on the disk by uploads: the state beside them needs it for journal and snapshots. */
export const MIN_FREE_BYTES = 256 * 1024 ** 2;
/** On a small disk: this part of it. */
export const MIN_FREE_SHARE = 20;
/** Free space is looked for again after so many bytes of an upload. */
export const SPACE_CHECK_BYTES = 32 * 1024 ** 2;
/** Logs followed at once, for all clients: each is a process with two pipes, or a channel over SSH. */
export const MAX_LOG_FOLLOWS = 128;
