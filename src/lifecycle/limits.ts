/**
 * Bounds of this folder that src/model/limits.ts does not have.
 *
 * @module
 */

/**
 * What a start that failed reports of the log at most: a program may write one line for ever, and the report that comes
 * before its log must not be lost among it.
 */
export const FAILURE_LOG_BYTES = 64 * 1024;
