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
/** How much of a command's stdout and of its stderr is kept: enough for any log tail. */
export const MAX_COMMAND_OUTPUT_BYTES = 1024 * 1024;
/** Text of one command: Linux takes at most 128 KiB in one argument, and the login shell gets it as one. */
export const MAX_COMMAND_BYTES = 120 * 1024;
/** Longest command line sent as such over SSH; dropbear breaks the connection at 9,000. Longer ones go on stdin. */
export const SSH_MAX_LINE_BYTES = 8_000;
/** Longest word in what a login shell reads: tcsh refuses words over 1024 characters. */
export const MAX_SHELL_WORD_LENGTH = 800;
/** How long output may be silent after a command's end while something it left behind holds its stdout. */
export const OUTPUT_DRAIN_MS = 2000;
/** How long a killed command may take to be gone before the call gives up on it. */
export const KILL_GRACE_MS = 5000;
/** What a login shell's start-up files may print before the command's own output. */
export const MAX_LOGIN_NOISE_BYTES = 64 * 1024;
/** Bytes given to a pipe or channel at once: keeps one large chunk from being copied whole. */
export const STDIN_CHUNK_BYTES = 256 * 1024;
/** TCP, key exchange and authentication of one hop, together. */
export const SSH_CONNECT_TIMEOUT_MS = 20_000;
/** Tries to connect when the server drops us before the key exchange (MaxStartups) or DNS is busy. */
export const SSH_CONNECT_ATTEMPTS = 4;
/** First pause between such tries; doubled each time, each with full jitter. */
export const SSH_RETRY_BASE_MS = 500;
/** Commands at once on one connection: sshd's MaxSessions is 10, two are kept for kills. */
export const SSH_MAX_CHANNELS = 8;
/** Tries to open a session on a connection that has no other, where the server refuses. */
export const SSH_OPEN_ATTEMPTS = 3;
/** Pause between such tries: the time in which sshd notices that a session has ended. */
export const SSH_OPEN_PAUSE_MS = 100;
/** Pause between keepalives; three unanswered ones end the connection. */
export const SSH_KEEPALIVE_MS = 15_000;
/** Unanswered keepalives after which a connection counts as dead. */
export const SSH_KEEPALIVE_COUNT = 3;
/** How long a server may take to answer our goodbye before the socket is closed without it. */
export const SSH_CLOSE_GRACE_MS = 1000;
/** Jump hosts in a row. */
export const SSH_MAX_JUMPS = 8;
/** Depth of Include in ssh_config, as in OpenSSH. */
export const SSH_MAX_INCLUDE_DEPTH = 16;
/** Files that Include may bring in for one host: more than anybody splits a config into. */
export const SSH_MAX_INCLUDED_FILES = 256;
/** Largest ssh_config or known_hosts file read: thousands of hosts, and no surprise. */
export const SSH_MAX_FILE_BYTES = 8 * 1024 * 1024;
/** Keys tried: sshd's MaxAuthTries is 6, more only get us disconnected. */
export const SSH_MAX_KEYS = 6;
/** How long to wait while others add to the same known_hosts file: dozens of new hosts, each a sync of a slow disk. */
export const KNOWN_HOSTS_LOCK_WAIT_MS = 15_000;
/** Age at which such a lock belongs to nobody any more: it is held for one small write. */
export const KNOWN_HOSTS_LOCK_STALE_MS = 3000;
