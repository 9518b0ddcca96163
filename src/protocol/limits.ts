/**
 * Limits of messages, each with its reason.
 *
 * @module
 */
/** Longest request id that is echoed: any UUID or counter fits many times. */
export const MAX_REQUEST_ID_LENGTH = 256;
/** Issues listed in one `invalid_params` error: enough to fix a form, bounded for hostile input. */
export const MAX_PARAM_ISSUES = 10;
