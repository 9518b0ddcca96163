/**
 * Limits of the client, each with its reason.
 *
 * @module
 */

/** JSON characters of events buffered for a slow reader; beyond it they are fetched again later. */
export const CLIENT_EVENT_BUFFER_CHARS = 8 * 1024 * 1024;
/** Timeout to connect, hello included: covers a slow TLS handshake across the world. */
export const CLIENT_CONNECT_TIMEOUT_MS = 10_000;
/** Default timeout of a call. */
export const CLIENT_CALL_TIMEOUT_MS = 30_000;
/** Default timeout of `service_action`, which responds only after the service has started or stopped. */
export const CLIENT_SERVICE_ACTION_TIMEOUT_MS = 5 * 60_000;
/** Upper bound of the first reconnect delay: a restarted server is back within it. */
export const CLIENT_RECONNECT_MIN_DELAY_MS = 500;
/** Upper bound of later delays: 1,000 clients mean 100 attempts per second. */
export const CLIENT_RECONNECT_MAX_DELAY_MS = 20_000;
/** Shortest pause after 4429: the server asked for fewer requests. */
export const CLIENT_RATE_LIMIT_PAUSE_MS = 5_000;
/** A connection that lived this long resets the backoff. */
export const CLIENT_STABLE_CONNECTION_MS = 10_000;
/** Silence after which the server is probed: above the 30 s between bookmarks. */
export const CLIENT_IDLE_PROBE_MS = 45_000;
/** Timeout of that probe, and of the HTTP probe of a refused handshake. */
export const CLIENT_PROBE_TIMEOUT_MS = 10_000;
/** Wait for the close event after an error: Node's own WebSocket omits it for a refused handshake. */
export const CLIENT_ERROR_GRACE_MS = 100;
/** How long `close()` waits for the server's close frame before it drops the socket. */
export const CLIENT_CLOSE_TIMEOUT_MS = 2_000;
/** Events buffered for a slow reader; beyond it they are fetched again once the reader has caught up. */
export const CLIENT_EVENT_BUFFER = 1024;
/** Poll interval of a followed deployment, for changes without an event, such as a killed server. */
export const CLIENT_DEPLOYMENT_POLL_MS = 5_000;
/** Most calls in flight: above any server's limit, bounds memory. */
export const MAX_CLIENT_PENDING_CALLS = 4096;
/** Lease of a service that is kept alive and names none: a crash is noticed within seconds. */
export const CLIENT_LEASE_TTL_MS = 15_000;
/** Longest time between two heartbeats: after a suspend the entry is back within it, however long its lease is. */
export const CLIENT_HEARTBEAT_MAX_MS = 60_000;
/** Timeout of a heartbeat: one that takes longer is repeated. */
export const CLIENT_HEARTBEAT_TIMEOUT_MS = 5_000;
/** Shortest pause before a failed heartbeat is repeated. */
export const CLIENT_LEASE_RETRY_MIN_MS = 50;
/** Longest pause before a failed heartbeat is repeated. */
export const CLIENT_LEASE_RETRY_MAX_MS = 5_000;
/** How long a release waits for a server that does not answer: the lease expires there anyway. */
export const CLIENT_RELEASE_TIMEOUT_MS = 2_000;
/** Heartbeats of one client in flight: a quarter of the requests that a server takes from one connection. */
export const MAX_CLIENT_HEARTBEATS = 16;
/** Longest error in the body of an HTTP answer: the server's are shorter, and pages of proxies are not read. */
export const MAX_CLIENT_ERROR_BYTES = 64 * 1024;
/** Longest text of a header in an error. */
export const MAX_CLIENT_HEADER_CHARS = 200;
