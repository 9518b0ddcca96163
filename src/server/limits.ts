/**
 * Bounds of the server that no flag changes, each with its reason.
 *
 * @module
 */

/** Work on large answers and replays in one turn of the event loop: others wait this long at most, twice over. */
export const TURN_MS = 4;
/** Messages answered at once in a turn; those that come later in it wait for their connections' turns. */
export const MESSAGES_TURN_MS = 4;
/** Such messages of one connection before the next has its turn. */
export const MESSAGES_PIECE_MS = 0.5;
/**
 * Messages of all connections that arrive in one turn before who sent most of them is dropped: a burst that
 * the rate of requests lets pass, and its refused rest, fit; taking so many costs some 15 ms.
 */
export const MIN_TURN_MESSAGES = 4000;
/** The same for another rate of requests: so many times that of a second. */
export const TURN_MESSAGES_FACTOR = 4;
/** Bytes given to sockets in such a turn: the runtime copies and writes them before anybody else is heard. */
export const TURN_BYTES = 1024 * 1024;
/** Work on one of them before the next has its turn. */
export const TURN_PIECE_MS = 1;
/** Large answers and pages of replays that are being made at once: bounds what is half made. */
export const MAX_ACTIVE_JOBS = 4;
/** Answers and pages beyond this are sent in turn with those of other clients. */
export const LARGE_ANSWER_BYTES = 32 * 1024;
/** Longest answer: 100,000 ordinary services in one list. What is longer must be asked for in pages. */
export const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** Entries' text of one page of `list_services`: a page of large entries is cut short. */
export const MAX_PAGE_BYTES = 4 * 1024 * 1024;
/** Text of whole lists kept until the next change: a thousand equal requests cost one encoding. */
export const ANSWER_CACHE_BYTES = 64 * 1024 * 1024;
/** Lists kept, whatever their size: filters are chosen by clients. */
export const ANSWER_CACHE_SIZE = 256;
/** Text of history read from the store, kept for others who resume from about the same place. */
export const REPLAY_CACHE_BYTES = 8 * 1024 * 1024;
/** Reads of service logs at once: each is a command on a host, whose connection deployments use, too. */
export const MAX_LOG_READS = 4;
/** Messages of all connections that wait for their turn: some milliseconds of work for each of 10,000 clients. */
export const MAX_INBOX_BYTES = 64 * 1024 * 1024;
/** Longest token looked at: longer ones are wrong, and hashing must stay cheap. */
export const MAX_TOKEN_LENGTH = 4096;
/** Longest file name of a package: what every file system takes. */
export const MAX_FILE_NAME_LENGTH = 255;
/** Fragments of one message (`ws` listener): at 256 KiB a message, more than these are an attack. */
export const MAX_FRAGMENTS = 1024;
/** Chunks buffered before a frame is whole (`ws` listener): 1-byte chunks pin far more than they carry. */
export const MAX_BUFFERED_CHUNKS = 4096;
/** `Deno.serve` listener: a close waits until no message has arrived for this long. */
export const QUIET_BEFORE_CLOSE_MS = 20;
/** And then for so many turns of the event loop: after a hold-up, timers come before waiting messages. */
export const QUIET_TURNS_BEFORE_CLOSE = 2;
/** But no longer than this: who never stops sending loses the reason, not the server its patience. */
export const MAX_CLOSE_DELAY_MS = 500;
/** Globs in all subscriptions of one connection: each is tried on every event, so they are what costs. */
export const MAX_SUBSCRIPTION_GLOBS = 256;
/** Events of one read from the store's history during a resume. */
export const REPLAY_BATCH_EVENTS = 500;
/** Bytes of one page of a snapshot: small beside the send queue, so that pages can be paced. */
export const SNAPSHOT_PAGE_BYTES = 128 * 1024;
/** How long a closing peer may take for the handshake before it is dropped (`ws` listener). */
export const TERMINATE_AFTER_MS = 2000;
/** The part of it that is kept for closing handshakes: a peer that is there needs far less. */
export const CLOSE_TIMEOUT_MS = 1000;
/** Time for HTTP requests under way after that; so a whole shutdown ends within 5 s. */
export const HTTP_CLOSE_TIMEOUT_MS = 500;
/** What `server_draining` tells clients to wait before they reconnect. */
export const RECONNECT_AFTER_MS = 1000;
/** Time to send all request headers (only the `ws` listener can enforce it). */
export const HEADERS_TIMEOUT_MS = 10_000;
/** Time for a whole HTTP request, its upload included (only the `ws` listener can enforce it). */
export const REQUEST_TIMEOUT_MS = 15 * 60 * 1000;
/** Deployments that are remembered: weeks of history at a few a day, a few MiB on disk. */
export const MAX_KEPT_DEPLOYMENTS = 500;
/** Deployments that run at once; further ones are `queued`. Each holds up to `parallel` connections. */
export const MAX_RUNNING_DEPLOYMENTS = 8;
/** Deployments that may wait; one more is refused with `unavailable`. */
export const MAX_QUEUED_DEPLOYMENTS = 100;
/** How long a shutdown waits for deployments to roll back before they are left `interrupted`. */
export const DEPLOY_PARK_TIMEOUT_MS = 4000;
/** Log lines answered when `tail` is left out. */
export const DEFAULT_LOG_TAIL_LINES = 100;
/** Longest `state_reason` and health message that the server writes: a sentence with its last log line. */
export const MAX_REASON_LENGTH = 2000;

/**
 * Descriptors kept for our own files while clients take all they can get: journal segment, snapshot and
 * their directories, some uploads and downloads, and the pipes and sockets of a few deployments.
 */
export const DESCRIPTOR_RESERVE = 64;
/** Part of the limit that the reserve takes at most: with `ulimit -n 64` clients still get something. */
export const DESCRIPTOR_RESERVE_SHARE = 4;
/** Fewer free descriptors than this count as none: one connection being accepted needs one. */
export const DESCRIPTOR_PROBE = 8;
/** Descriptors that must be free besides the reserve before connections are accepted again. */
export const DESCRIPTOR_HEADROOM = 16;
/** How often free descriptors are looked for; the probe itself takes some microseconds. */
export const DESCRIPTOR_POLL_MS = 250;
/** So many new connections between two looks are a burst, which may have taken all descriptors. */
export const ACCEPT_BURST = 32;
/** Accepting is tried this often also without a burst: it may have failed at any connection, and nothing says so. */
export const ACCEPT_TRY_INTERVAL_MS = 5000;
/** So many looks a listener may take to accept a connection of our own: it takes one. */
export const ACCEPT_CHECK_TURNS = 100;
/** Pause between those looks. */
export const ACCEPT_TURN_MS = 5;
/** Longest pause between attempts to listen again after the port could not be had. */
export const LISTEN_RETRY_MAX_MS = 5000;
/** TCP connections beyond `maxConnections`: health checks, packages, and the 503 that says so. */
export const EXTRA_TCP_CONNECTIONS = 256;
/** How long a refused peer may take to read why. */
export const REFUSED_LINGER_MS = 2000;
/** Requests of one connection before the answer to the first: no browser and no `fetch` sends a second. */
export const MAX_PIPELINED_REQUESTS = 16;
/** How often connections without a request are looked through, as a part of their time. */
export const IDLE_SWEEPS = 4;
/** Wrong tokens of one address that are answered 401: people who try, and clients with an old token. */
export const FREE_WRONG_TOKENS = 30;
/** Back-off after those; doubled with each further wrong token. */
export const WRONG_TOKEN_BACKOFF_MS = 1000;
/** Longest back-off: whoever has found the right token need not wait, see `auth_backoff.ts`. */
export const WRONG_TOKEN_BACKOFF_MAX_MS = 60_000;
/** An address without a wrong token for this long starts anew. */
export const WRONG_TOKEN_MEMORY_MS = 10 * 60_000;
/** Addresses counted at once, about 200 bytes each; the one that was quiet longest is forgotten first. */
export const MAX_COUNTED_ADDRESSES = 10_000;
/** One log line per address in this time; what came between is a number in the next one. */
export const LOG_INTERVAL_MS = 60_000;
/** Addresses remembered for that, about 200 bytes each; the oldest are forgotten first. */
export const MAX_LOGGED_ADDRESSES = 4096;
/** Log lines in that time for all addresses together: a botnet must not fill the log either. */
export const MAX_LOG_LINES = 60;

/** Downloads at once, half of them to one address: a fleet's worth of hosts that fetch a package. */
export const MAX_DOWNLOADS = 128;
/** One address gets this part of all transfers. */
export const TRANSFERS_SHARE = 2;
/** Hardly anything: less than this in that time, about 1 kB a second. */
export const MIN_TRANSFER_BYTES = 32 * 1024;
/** Left free on the disk by uploads: the state beside them needs it for journal and snapshots. */
export const MIN_FREE_BYTES = 256 * 1024 ** 2;
/** On a small disk: this part of it. */
export const MIN_FREE_SHARE = 20;
/** Free space is looked for again after so many bytes of an upload. */
export const SPACE_CHECK_BYTES = 32 * 1024 ** 2;
/** Logs followed at once, for all clients: each is a process with two pipes, or a channel over SSH. */
export const MAX_LOG_FOLLOWS = 128;
