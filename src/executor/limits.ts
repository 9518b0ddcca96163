/**
 * Limits of commands and SSH connections, each with its reason.
 *
 * @module
 */

/**
 * Output of a command before it is killed, when no callback consumes it. Nothing of ours prints half of it; a host whose
 * shell prints endlessly must not occupy this process.
 */
export const MAX_COMMAND_PRINTED_BYTES: number = 8 * 1024 * 1024;

/** Where more than the default is kept: how many times that may be printed. */
export const PRINTED_OF_KEPT = 2;

/** Output read without pacing: as much as is kept, so an ordinary command never waits. */
export const UNPACED_OUTPUT_BYTES: number = 1024 * 1024;

/** Output read between two pauses beyond that: at most 8 MiB/s of one command. */
export const OUTPUT_PIECE_BYTES: number = 512 * 1024;

/** Length of such a pause. Shorter than the silence after which output counts as ended. */
export const OUTPUT_PAUSE_MS = 64;

/**
 * Input per second of all machines together, beyond their free input. Decrypting that much takes a third of this
 * process. Ordinary traffic is a few kB; uploads do not count.
 */
export const SSH_INPUT_BYTES_PER_S: number = 8 * 1024 * 1024;

/** Free input of a machine: all that a deployment with long logs reads, so no honest one waits for the others. */
export const SSH_INPUT_FREE_BYTES: number = 4 * 1024 * 1024;

/** Rate at which free input is refilled: a followed log at this rate never waits. */
export const SSH_INPUT_FREE_BYTES_PER_S: number = 64 * 1024;

/**
 * Replies queued to a machine that keeps sending: many times the largest single write. Beyond it the machine makes us
 * answer and does not read.
 */
export const MAX_UNREAD_REPLY_BYTES: number = 8 * 1024 * 1024;
/** Bytes of stdout and of stderr that are kept: enough for any log tail. */
export const MAX_COMMAND_OUTPUT_BYTES = 1024 * 1024;
/** Text of one command: Linux takes at most 128 KiB in one argument, and the login shell gets it as one. */
export const MAX_COMMAND_BYTES = 120 * 1024;
/** Longest command line sent as such over SSH; dropbear breaks the connection at 9,000. Longer ones go on stdin. */
export const SSH_MAX_LINE_BYTES = 8_000;
/** The same for OpenSSH: half of what Linux takes in one argument. Reading a command from stdin costs a host 2 ms. */
export const OPENSSH_MAX_LINE_BYTES = 64 * 1024;
/** Longest word in what a login shell reads: tcsh refuses words over 1024 characters. */
export const MAX_SHELL_WORD_LENGTH = 800;
/** How long to wait for more output after the command exited while a child of it holds its stdout. */
export const OUTPUT_DRAIN_MS = 2000;
/** How long to wait for a killed command to exit before giving up. */
export const KILL_GRACE_MS = 5000;
/** What a login shell's start-up files may print before the command's own output. */
export const MAX_LOGIN_NOISE_BYTES = 64 * 1024;
/** Bytes written to a pipe or channel at once: avoids copying a large chunk whole. */
export const STDIN_CHUNK_BYTES = 256 * 1024;
/** Time for TCP, key exchange and authentication of one hop, together. */
export const SSH_CONNECT_TIMEOUT_MS = 20_000;
/** Connection attempts when the server drops us before the key exchange (MaxStartups) or DNS is busy. */
export const SSH_CONNECT_ATTEMPTS = 4;
/** First backoff between such attempts; doubled each time, each with full jitter. */
export const SSH_RETRY_BASE_MS = 500;
/** Concurrent commands on one connection: sshd's MaxSessions is 10, two are reserved for kills. */
export const SSH_MAX_CHANNELS = 8;
/** Attempts to open the only session of a connection when the server refuses it. */
export const SSH_OPEN_ATTEMPTS = 3;
/** Pause between such attempts: sshd notices within it that a session has ended. */
export const SSH_OPEN_PAUSE_MS = 100;
/** Pause between keepalives; three unanswered ones end the connection. */
export const SSH_KEEPALIVE_MS = 15_000;
/** Unanswered keepalives after which a connection counts as dead. */
export const SSH_KEEPALIVE_COUNT = 3;
/** How long to wait for the server to close after our disconnect. */
export const SSH_CLOSE_GRACE_MS = 1000;
/** How long the commands of a connection that is closed may take to be killed: two round trips to a busy host. */
export const SSH_KILL_GRACE_MS = 2000;
/** Jump hosts in a row. */
export const SSH_MAX_JUMPS = 8;
/** Depth of Include in ssh_config, as in OpenSSH. */
export const SSH_MAX_INCLUDE_DEPTH = 16;
/** Files included for one host: more than anybody splits a config into. */
export const SSH_MAX_INCLUDED_FILES = 256;
/** Largest ssh_config or known_hosts file that is read: thousands of hosts. */
export const SSH_MAX_FILE_BYTES = 8 * 1024 * 1024;
/** Keys tried: sshd's MaxAuthTries is 6, more get us disconnected. */
export const SSH_MAX_KEYS = 6;
/** How long to wait while others add to the same known_hosts file: dozens of new hosts, each a sync of a slow disk. */
export const KNOWN_HOSTS_LOCK_WAIT_MS = 15_000;
/** Age at which such a lock is stale: it is held for one small write. */
export const KNOWN_HOSTS_LOCK_STALE_MS = 3000;
