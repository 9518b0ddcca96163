/**
 * Bounds of commands, each with its reason.
 *
 * @module
 */

/**
 * How much a command may print, where its end alone is kept: 32 times as much as that. Nothing of ours prints a tenth
 * of it. A host whose shell prints without end would keep this process from everything else, the other hosts' locks too.
 */
export const MAX_COMMAND_PRINTED_BYTES: number = 32 * 1024 * 1024;

/** What of it is read as fast as it comes: as much as is kept, so that an ordinary command never waits. */
export const UNPACED_OUTPUT_BYTES: number = 1024 * 1024;

/** Beyond that this much is read at once, and then nothing for a while: at most 8 MiB a second of one command. */
export const OUTPUT_PIECE_BYTES: number = 512 * 1024;

/** How long nothing is read then. Shorter than the quiet after which a command's output counts as ended. */
export const OUTPUT_PAUSE_MS = 64;
