/**
 * Time limits of the docker commands on a host. Those of a deployment's lock are in src/deploy/limits.ts.
 *
 * @module
 */

/** Inspecting containers: well within the life of a deployment's lock (20 s) and of a poll (15 s). */
export const DOCKER_STATUS_SECONDS = 8;
/** Creating, starting or removing a container: a busy daemon takes seconds, and a start has 70 s. */
export const DOCKER_CHANGE_SECONDS = 30;
/** Loading an image file: some hundred MB a minute on a slow disk. */
export const DOCKER_LOAD_SECONDS = 300;
/** What a stop may take beyond the service's own patience. */
export const DOCKER_STOP_GRACE_SECONDS = 8;
/**
 * Longest line of an env file for docker: its reader ends at 64 KiB. What is longer, or holds a line end, is sent to the
 * daemon as JSON.
 */
export const DOCKER_ENV_LINE_BYTES = 65_000;
