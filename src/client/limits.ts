/**
 * Bounds of the client by bytes, each with its reason.
 *
 * @module
 */

/** Text of the events kept for a reader that lags, in characters: beyond it they are fetched again later. */
export const CLIENT_EVENT_BUFFER_CHARS = 8 * 1024 * 1024;
