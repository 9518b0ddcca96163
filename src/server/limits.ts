/**
 * Bounds of the server that no flag changes, each with its reason.
 *
 * @module
 */

/** Work on large answers and replays in one turn of the event loop: others wait this long at most, twice over. */
export const TURN_MS = 4;
/** Time for handshakes in a turn, of 0.2 ms each: all clients of a server that was away come at once. */
export const HANDSHAKES_TURN_MS = 4;
/** Time for messages in a turn; those that arrive later wait for their connections' turns. */
export const MESSAGES_TURN_MS = 4;
/** Time for queued messages of one connection before the next has its turn. */
export const MESSAGES_PIECE_MS = 0.5;
/**
 * Messages of all connections in one turn beyond which the peer that sent most is dropped: a burst that the rate
 * limit allows fits, with its refused rest; handling so many takes some 15 ms.
 */
export const MIN_TURN_MESSAGES = 4000;
/** The same as a multiple of the request rate per second. */
export const TURN_MESSAGES_FACTOR = 4;
/**
 * Bytes passed to sockets in such a turn: the runtime writes them before it polls other sockets, some 2 ms of work.
 * A turn takes 1.4 ms or more, as long as the shortest timer, so fewer bytes would leave the machine idle.
 */
export const TURN_BYTES = 4 * 1024 * 1024;
/** Work on one of them before the next has its turn. */
export const TURN_PIECE_MS = 1;
/** Large answers and pages of replays being built at once: bounds the memory of unfinished ones. */
export const MAX_ACTIVE_JOBS = 4;
/** Answers and pages beyond this are sent in turn with those of other clients. */
export const LARGE_ANSWER_BYTES = 32 * 1024;
/** Longest answer: 100,000 ordinary services in one list. Larger lists must be requested in pages. */
export const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** Entries' text of one page of `list_services`: a page of large entries is cut short. */
export const MAX_PAGE_BYTES = 4 * 1024 * 1024;
/** Cached text of lists until the next change: a thousand equal requests cost one encoding. */
export const ANSWER_CACHE_BYTES = 64 * 1024 * 1024;
/** Cached lists, whatever their size: filters are chosen by clients. */
export const ANSWER_CACHE_SIZE = 256;
/** Longest pause between two rounds of writing events, in which further events join them. */
export const MAX_EVENT_DELAY_MS = 10;
/** Cached frames of events, encoded: as many as one send queue takes, while clients get the same ones. */
export const SHARED_FRAMES_BYTES = 1024 * 1024;
/** Cached text of history, for clients that resume from about the same place. */
export const REPLAY_CACHE_BYTES = 8 * 1024 * 1024;
/** Concurrent reads of service logs: each is a command on a host, over the connection of deployments. */
export const MAX_LOG_READS = 4;
/** Messages of all connections that wait for their turn: some milliseconds of work for each of 10,000 clients. */
export const MAX_INBOX_BYTES = 64 * 1024 * 1024;
/** Messages of all connections that are not all there: a part of 6 kB of each of 10,000 clients. */
export const MAX_UNFINISHED_BYTES = 64 * 1024 * 1024;
/** Longest token that is hashed: longer ones are wrong, and hashing must stay cheap. */
export const MAX_TOKEN_LENGTH = 4096;
/** Longest file name of a package: supported by every file system. */
export const MAX_FILE_NAME_LENGTH = 255;
/** Fragments of one message: at 256 KiB a message, more than these are an attack. */
export const MAX_FRAGMENTS = 1024;
/** Chunks buffered before a frame is whole: 1-byte chunks pin far more than they carry. */
export const MAX_BUFFERED_CHUNKS = 4096;
/** Chunks of a frame that are joined to one: few enough to pin little, enough that joining costs little per chunk. */
export const JOIN_CHUNKS = 256;
/** Globs in all subscriptions of one connection: each is tried on every event, so they are what costs. */
export const MAX_SUBSCRIPTION_GLOBS = 256;
/** Events of one read from the store's history during a resume. */
export const REPLAY_BATCH_EVENTS = 500;
/** Bytes of one page of a snapshot: small beside the send queue, so that pages can be paced. */
export const SNAPSHOT_PAGE_BYTES = 128 * 1024;
/** How long a closing peer may take for the handshake before it is dropped. */
export const TERMINATE_AFTER_MS = 2000;
/** The part of a shutdown reserved for closing handshakes: a responsive peer needs far less. */
export const CLOSE_TIMEOUT_MS = 1000;
/** Time for HTTP requests under way after that; so a whole shutdown ends within 5 s. */
export const HTTP_CLOSE_TIMEOUT_MS = 500;
/** Reconnect delay that `server_draining` gives to clients. */
export const RECONNECT_AFTER_MS = 1000;
/** Time to send all request headers. */
export const HEADERS_TIMEOUT_MS = 10_000;
/** Time for a whole HTTP request: for 2 GiB at 2.4 Mbit/s. An upload that stalls ends long before. */
export const REQUEST_TIMEOUT_MS = 2 * 60 * 60 * 1000;
/** Deployments kept: weeks of history at a few a day, a few MiB on disk. */
export const MAX_KEPT_DEPLOYMENTS = 500;
/** Deployments that run at once; further ones are `queued`. Each holds up to `parallel` connections. */
export const MAX_RUNNING_DEPLOYMENTS = 8;
/** Queued deployments; one more is refused with `unavailable`. */
export const MAX_QUEUED_DEPLOYMENTS = 100;
/** How long a shutdown waits for deployments to roll back before they are left `interrupted`. */
export const DEPLOY_PARK_TIMEOUT_MS = 4000;
/** Log lines answered when `tail` is left out. */
export const DEFAULT_LOG_TAIL_LINES = 100;
/** Longest `state_reason` and health message that the server writes: a sentence with its last log line. */
export const MAX_REASON_LENGTH = 2000;

/**
 * Descriptors reserved for the server's own files: journal segment, snapshot and their directories, some uploads and downloads, and the pipes and sockets of a few deployments.
 */
export const DESCRIPTOR_RESERVE = 64;
/** Largest part of the limit for the reserve: with `ulimit -n 64` clients still get some. */
export const DESCRIPTOR_RESERVE_SHARE = 4;
/** Fewer free descriptors than this count as none: one connection being accepted needs one. */
export const DESCRIPTOR_PROBE = 8;
/** Descriptors that must be free besides the reserve before connections are accepted again. */
export const DESCRIPTOR_HEADROOM = 16;
/**
 * Connections until the limit of descriptors is known, which takes a child process and so comes after the start. Any
 * ordinary limit has room for them.
 */
export const DESCRIPTORS_UNTIL_KNOWN = 256;
/** Poll interval for free descriptors; a probe takes some microseconds. */
export const DESCRIPTOR_POLL_MS = 250;
/**
 * Connections that the system holds until we accept them: a fleet that comes back at once. The next one would be tried
 * again only after a second. Linux cuts it to net.core.somaxconn, which is as many.
 */
export const ACCEPT_BACKLOG = 4096;
/** New connections between two polls that count as a burst, which may have used up all descriptors. */
export const ACCEPT_BURST = 32;
/** Interval of accept probes without a burst: an accept may fail silently at any connection. */
export const ACCEPT_TRY_INTERVAL_MS = 5000;
/** Polls until our own probe connection must have been accepted: it takes one. */
export const ACCEPT_CHECK_TURNS = 100;
/** Pause between those polls. */
export const ACCEPT_TURN_MS = 5;
/** Longest pause between attempts to listen again on a port in use. */
export const LISTEN_RETRY_MAX_MS = 5000;
/** TCP connections beyond `maxConnections`: for health checks, packages, and the 503 of a full server. */
export const EXTRA_TCP_CONNECTIONS = 256;
/** TCP connections of an address beyond its limit: to be told so. */
export const EXTRA_TCP_OF_ADDRESS = 16;
/** Time for a refused peer to read the reason. */
export const REFUSED_LINGER_MS = 2000;
/** Requests of one connection before the answer to the first: no browser and no `fetch` sends a second. */
export const MAX_PIPELINED_REQUESTS = 16;
/** Sweeps of idle connections within their idle timeout. */
export const IDLE_SWEEPS = 4;
/** Addresses read in `X-Forwarded-For`, from its right end: no chain of proxies is longer. */
export const MAX_FORWARDED_ADDRESSES = 16;
/** Wrong tokens of one address that are answered 401: typing errors, and clients with an old token. */
export const FREE_WRONG_TOKENS = 30;
/** Back-off after those; doubled with each further wrong token. */
export const WRONG_TOKEN_BACKOFF_MS = 1000;
/** Longest back-off: a right token is accepted at once, see `auth_backoff.ts`. */
export const WRONG_TOKEN_BACKOFF_MAX_MS = 60_000;
/** The count of an address is reset after this time without a wrong token. */
export const WRONG_TOKEN_MEMORY_MS = 10 * 60_000;
/** Addresses counted at once, about 200 bytes each; the least recent is evicted first. */
export const MAX_COUNTED_ADDRESSES = 10_000;
/** One log line per address in this time; the next one has the count of those suppressed. */
export const LOG_INTERVAL_MS = 60_000;
/** Addresses remembered for that, about 200 bytes each; the oldest are evicted first. */
export const MAX_LOGGED_ADDRESSES = 4096;
/** Log lines in that time for all addresses together: a botnet must not fill the log either. */
export const MAX_LOG_LINES = 60;

/** Downloads at once, half of them to one address: a fleet's worth of hosts that fetch a package. */
export const MAX_DOWNLOADS = 128;
/** One address gets this part of all transfers. */
export const TRANSFERS_SHARE = 2;
/** A transfer stalls when it moves less than this within the stall timeout, about 1 kB a second. */
export const MIN_TRANSFER_BYTES = 32 * 1024;
/** Free disk space that uploads must leave: journal and snapshots need it. */
export const MIN_FREE_BYTES = 256 * 1024 ** 2;
/** The same on a small disk, as a part of its size. */
export const MIN_FREE_SHARE = 20;
/** Bytes of an upload between two checks of the free space. */
export const SPACE_CHECK_BYTES = 32 * 1024 ** 2;
/** Bytes of an upload that wait to be written or checked: 32 MiB for all uploads at once by default. */
export const UPLOAD_QUEUE_BYTES = 2 * 1024 ** 2;
/** Log streams at once, for all clients: each is a process with two pipes, or a channel over SSH. */
export const MAX_LOG_FOLLOWS = 128;
/** How long what runs on hosts may take to end by itself at a shutdown: a watcher looks four times a second. */
export const HOSTS_CLOSE_GRACE_MS = 500;
