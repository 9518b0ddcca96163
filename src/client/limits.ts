/**
 * Bounds of the client by bytes, each with its reason.
 *
 * @module
 */

/** Text of the events kept for a reader that lags, in characters: beyond it they are fetched again later. */
export const CLIENT_EVENT_BUFFER_CHARS = 8 * 1024 * 1024;
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
/** How long after an error the close event may take: Node's own WebSocket leaves it out at a refused handshake. */
export const CLIENT_ERROR_GRACE_MS = 100;
/** How long `close()` waits for the server's close frame before it lets go of the socket. */
export const CLIENT_CLOSE_TIMEOUT_MS = 2_000;
/** Events kept for a reader that lags; beyond it they are fetched again once the reader has caught up. */
export const CLIENT_EVENT_BUFFER = 1024;
/** How often a followed deployment is asked after: for what no event tells, such as a server that was killed. */
export const CLIENT_DEPLOYMENT_LOOK_MS = 5_000;
/** Calls that may wait for responses at once: above any server's in-flight limit, bounds memory. */
export const MAX_CLIENT_PENDING_CALLS = 4096;
