/**
 * Limits of the command line, each with its reason.
 *
 * @module
 */

/** How long a client command waits for an answer (`--timeout`). */
export const CLI_TIMEOUT_MS = 30_000;
/** The same for `service start` and the like: a start with its health check takes longer. */
export const CLI_CONTROL_TIMEOUT_MS = 5 * 60 * 1000;
/** A follower gives up after this many times `--timeout` without a connection: CI must not hang. */
export const CLI_FOLLOW_GIVE_UP_FACTOR = 4;
/** Largest token or secret file: larger than any key, far from filling memory. */
export const CLI_MAX_SECRET_BYTES = 64 * 1024;
/** Tab must never hang: without an answer in this time no live names are offered. Five round trips of 200 ms. */
export const CLI_COMPLETION_TIMEOUT_MS = 1_000;
/** Live names that a completion offers: more than a person reads. */
export const CLI_MAX_COMPLETIONS = 500;
/** What the end of a server process may take beyond its shutdown: to close hosts and state. */
export const CLI_CLOSE_GRACE_MS = 800;
/** Free space on a host below which `doctor` warns: less than an ordinary package needs unpacked. */
export const CLI_LITTLE_SPACE_BYTES = 200 * 1024 * 1024;
/** How long `doctor` waits for a host's answer. */
export const CLI_DOCTOR_TIMEOUT_MS = 30_000;
/** Largest file of named tokens: what the reader of manifests takes. */
export const MAX_TOKENS_FILE_BYTES = 64 * 1024;
/** Named tokens: each request's token is compared with every one of them, in much less than a millisecond. */
export const MAX_NAMED_TOKENS = 500;
/** How long a second Ctrl-C cancels the deployment that the first one stopped following: time to read the offer. */
export const CANCEL_OFFER_MS = 3000;
/** How long a child that could not be registered may take to end, and a last word to the server. */
export const CLI_CHILD_GRACE_MS = 5_000;
