/**
 * Bounds of commands, each with its reason.
 *
 * @module
 */

/**
 * How much a command may print, where its end alone is kept: eight times as much as is kept of an ordinary one, and
 * twice as much where more is. Nothing of ours prints half of it. A host whose shell prints without end would keep this
 * process from everything else.
 */
export const MAX_COMMAND_PRINTED_BYTES: number = 8 * 1024 * 1024;

/** How much of the output that is kept may be printed. */
export const PRINTED_OF_KEPT = 2;

/** What of it is read as fast as it comes: as much as is kept, so that an ordinary command never waits. */
export const UNPACED_OUTPUT_BYTES: number = 1024 * 1024;

/** Beyond that this much is read at once, and then nothing for a while: at most 8 MiB a second of one command. */
export const OUTPUT_PIECE_BYTES: number = 512 * 1024;

/** How long nothing is read then. Shorter than the quiet after which a command's output counts as ended. */
export const OUTPUT_PAUSE_MS = 64;

/**
 * What all machines together send beyond what each may send freely, a second: to decrypt it takes a third of this
 * process. Their traffic otherwise is a few kB; what is brought to them does not count.
 */
export const SSH_INPUT_BYTES_PER_S: number = 8 * 1024 * 1024;

/** What a machine sends freely: all that one deployment with long logs reads, so that no honest one waits for the others. */
export const SSH_INPUT_FREE_BYTES: number = 4 * 1024 * 1024;

/** How fast that comes back: a log that is followed at this rate never waits. A hundred such machines are a budget. */
export const SSH_INPUT_FREE_BYTES_PER_S: number = 64 * 1024;

/**
 * What may wait to be read by a machine while it goes on to send: many times the largest piece that is written at once.
 * Beyond it, it lets us answer and does not read.
 */
export const MAX_UNREAD_REPLY_BYTES: number = 8 * 1024 * 1024;
