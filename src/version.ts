/**
 * Who we are, in one place.
 *
 * @module
 */

/** Name of the program, as in `hello` and `/version`. */
export const SERVER_NAME = "harness-ws-server";

/** Version of this release; the same as in `deno.json` (a test compares them). */
export const VERSION = "0.1.0";
