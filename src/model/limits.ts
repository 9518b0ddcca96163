/**
 * Every bound in the program: one named constant each, with its reason.
 *
 * Those that an operator may want to change are also flags of `serve`; the flag's default is the
 * constant here.
 *
 * @module
 */

// ---- registry ----------------------------------------------------------------------------------

/** Longest service name: the contract's `^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`. */
export const MAX_NAME_LENGTH = 128;
/** Longest free text in an entry (label, argument, metadata): keeps an entry well under a message. */
export const MAX_TEXT_LENGTH = 4096;
/** Endpoints of one service: more than any real service has, small enough to send as one event. */
export const MAX_ENDPOINTS = 64;
/** Names in `depends_on`. */
export const MAX_DEPENDENCIES = 256;
/** Labels of one service. */
export const MAX_LABELS = 64;
/** Shortest lease: below it, ordinary scheduling delays would expire healthy services. */
export const MIN_TTL_MS = 100;
/** Longest lease: one day; whoever needs longer does not need a lease. */
export const MAX_TTL_MS = 24 * 60 * 60 * 1000;
/** Services in one registry: an order above the largest fleet we test (10,000). */
export const MAX_SERVICES = 100_000;
/** Events a reader of `registry.events()` may lag behind before its stream is errored. */
export const MAX_EVENT_QUEUE = 4096;

// ---- protocol ----------------------------------------------------------------------------------

/** Entries in one page of `list_services` or of a snapshot. */
export const MAX_PAGE_SIZE = 1000;
/** Names or globs in one subscription. */
export const MAX_SUBSCRIPTION_SERVICES = 256;
/** Hosts of one deployment: "hundreds", with room. */
export const MAX_HOSTS = 1000;
/** Lines of one `service_logs` answer. */
export const MAX_LOG_TAIL_LINES = 10_000;

// ---- executor ----------------------------------------------------------------------------------

/** How much of a command's stdout and of its stderr is kept: enough for any log tail. */
export const MAX_COMMAND_OUTPUT_BYTES = 1024 * 1024;
/** How much of a service's env file is read for its secrets: several times what the system lets a program have. */
export const MAX_ENV_FILE_BYTES = 16 * 1024 * 1024;

// ---- client ------------------------------------------------------------------------------------

/** How long opening a connection may take, hello included: covers a slow TLS handshake across the world. */
export const CLIENT_CONNECT_TIMEOUT_MS = 10_000;
/** How long a call waits for its response unless told otherwise. */
export const CLIENT_CALL_TIMEOUT_MS = 30_000;
/** The same for `service_action`, which answers only after the service was really stopped or started. */
export const CLIENT_SERVICE_ACTION_TIMEOUT_MS = 5 * 60_000;
/** Upper edge of the first reconnect delay: a restarted server is back within it. */
export const CLIENT_RECONNECT_MIN_DELAY_MS = 500;
/** Upper edge of every later one: nobody waits long, and 1,000 clients mean 100 attempts a second. */
export const CLIENT_RECONNECT_MAX_DELAY_MS = 20_000;
/** Shortest pause after 4429: the server asked for fewer requests. */
export const CLIENT_RATE_LIMIT_PAUSE_MS = 5_000;
/** A connection that lived this long was good: the next failure starts with the first delay again. */
export const CLIENT_STABLE_CONNECTION_MS = 10_000;
/** Silence after which the client asks whether the server is still there: above the 30 s between bookmarks. */
export const CLIENT_IDLE_PROBE_MS = 45_000;
/** How long the answer to that question, or to a close frame, may take. */
export const CLIENT_PROBE_TIMEOUT_MS = 10_000;
/** How long after an error the close event may take: Node's own WebSocket leaves it out at a refused handshake. */
export const CLIENT_ERROR_GRACE_MS = 100;
/** How long `close()` waits for the server's close frame before it lets go of the socket. */
export const CLIENT_CLOSE_TIMEOUT_MS = 2_000;
/** Events kept for a reader that lags; beyond it they are fetched again once the reader has caught up. */
export const CLIENT_EVENT_BUFFER = 1024;
/** How often a followed deployment is asked after: for what no event tells, such as a server that was killed. */
export const CLIENT_DEPLOYMENT_LOOK_MS = 5_000;
/** Calls that may wait for responses at once: above any server's in-flight limit, bounds memory. */
export const MAX_CLIENT_PENDING_CALLS = 4096;

// ---- lifecycle ---------------------------------------------------------------------------------

/** Size at which a service's log file is rotated. */
export const SERVICE_LOG_MAX_BYTES = 10 * 1024 * 1024;
/** Rotated log files kept beside the current one: 60 MiB a service at most. */
export const SERVICE_LOG_KEEP = 5;
/** How long a freshly started process must stay alive before its start counts as having worked. */
export const START_SETTLE_MS = 500;
/** Longest start: a daemon's start script, an image load, `systemctl start` of a slow unit. */
export const START_TIMEOUT_MS = 60_000;
/** How long the kernel is given to remove what was sent SIGKILL. */
export const KILL_WAIT_MS = 5_000;
/** Longest status, reload or log command: these only look. */
export const LOOK_TIMEOUT_MS = 15_000;
/** Extra time over a command's own deadline before the connection is held to be stuck. */
export const COMMAND_GRACE_MS = 10_000;
/** Longest log line; a longer one comes in pieces. */
export const MAX_LOG_LINE_BYTES = 16 * 1024;
/** Most text of one `service_logs` answer: with the rest of the message under what a client takes. */
export const MAX_TAIL_BYTES = 2 * 1024 * 1024;
/** Lines that wait for a slow reader of a followed log before lines are left out. */
export const MAX_FOLLOW_QUEUE_LINES = 2_000;
/** How much of a health script's output or of an HTTP body is read: enough to see why. */
export const MAX_HEALTH_OUTPUT_BYTES = 16 * 1024;
/** Longest one-line message of a health check: it is stored in the registry and sent with every result. */
export const MAX_HEALTH_MESSAGE_LENGTH = 300;
/** Pause between checks while a start is waited for; the service's own interval is for the long run. */
export const WAIT_HEALTHY_POLL_MS = 500;
/** Output of the one status command of a machine: 10,000 services at 200 bytes each, with room. */
export const HOST_STATUS_OUTPUT_BYTES = 4 * 1024 * 1024;
/** Longest pause between restarts: a fixed cause (a database back up) is picked up within it. */
export const RESTART_BACKOFF_CAP_MS = 5 * 60_000;
/** Share of a restart pause that is added at random, so that many services do not come back in step. */
export const RESTART_JITTER = 0.2;
/** A service that ran this long is stable: its earlier ends are forgotten. */
export const RESTART_STABLE_MS = 60_000;
/** Ends that are kept to tell the story of a crash loop. */
export const MAX_RESTART_HISTORY = 20;
/** How often the exit records of local processes are looked at: a crash is noticed at once. */
export const LOCAL_EXIT_POLL_MS = 200;
/** How often local services are looked at in full. */
export const LOCAL_STATUS_INTERVAL_MS = 1_000;
/** How often the services of another machine are looked at, by one command for all of them. */
export const REMOTE_STATUS_INTERVAL_MS = 5_000;
/** Health checks that run at once over all services: more would starve the event loop and the machines. */
export const MAX_CONCURRENT_HEALTH_CHECKS = 16;
/** Longest time without a published health result while nothing changes. */
export const HEALTH_HEARTBEAT_MS = 5 * 60_000;
/** Pause between checks before a freshly started service has passed its first one. */
export const HEALTH_START_INTERVAL_MS = 1_000;
/** Log lines that come with a failed start or a crash. */
export const FAILURE_LOG_LINES = 20;

// ---- server ------------------------------------------------------------------------------------

/** One message from a client: room for the largest sensible registration; parses in well under 10 ms. */
export const MAX_MESSAGE_BYTES = 256 * 1024;
/** Nesting of a message: twice what the deepest action needs, far below what could hurt a stack. */
export const MAX_MESSAGE_DEPTH = 32;
/** Longest request id that is echoed: any UUID or counter fits many times. */
export const MAX_REQUEST_ID_LENGTH = 256;
/** Issues listed in one `invalid_params` error: enough to fix a form, bounded for hostile input. */
export const MAX_PARAM_ISSUES = 10;
/** Longer words get no "did you mean": no known name is near them, and comparing is quadratic. */
export const MAX_COMPARED_NAME_LENGTH = 64;
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
/** Connections at once: each costs about 25 kB; the next is refused with 503 before its upgrade. */
export const MAX_CONNECTIONS = 10_000;
/** Requests of one connection that are being worked on: beyond it the client must wait. */
export const MAX_IN_FLIGHT_REQUESTS = 64;
/** Sustained requests a second of one connection; twice as many may come in a burst. */
export const MAX_REQUESTS_PER_SECOND = 1000;
/** By how many the requests refused for their rate may outnumber the accepted ones before 4429. */
export const MAX_RATE_LIMITED_REQUESTS = 1000;
/** Malformed messages in a row before the connection is closed with 4400. */
export const MAX_BAD_MESSAGES = 20;
/** Subscriptions of one connection. */
export const MAX_SUBSCRIPTIONS = 128;
/** Globs in all subscriptions of one connection: each is tried on every event, so they are what costs. */
export const MAX_SUBSCRIPTION_GLOBS = 256;
/** Bytes queued for one client; when they are reached, its events wait. */
export const MAX_SEND_QUEUE_BYTES = 1024 * 1024;
/** How long a client with a full queue may take nothing at all before it is a slow consumer (4408). */
export const SEND_STALL_TIMEOUT_MS = 5000;
/** Events kept ready to send for a resume without touching the disk. */
export const REPLAY_RING_EVENTS = 16_384;
/** Bytes of the same: whichever is reached first. */
export const REPLAY_RING_BYTES = 16 * 1024 * 1024;
/** Events of one read from the store's history during a resume. */
export const REPLAY_BATCH_EVENTS = 500;
/** Bytes of one page of a snapshot: small beside the send queue, so that pages can be paced. */
export const SNAPSHOT_PAGE_BYTES = 128 * 1024;
/** A subscriber that got no event for this long gets a bookmark. */
export const BOOKMARK_INTERVAL_MS = 30_000;
/** A subscriber gets a bookmark before it skipped more events than this. */
export const BOOKMARK_SKIPPED_EVENTS = 1000;
/** A connection whose peer answers no ping for this long is closed. */
export const PING_INTERVAL_MS = 30_000;
/** How long a closing peer may take for the handshake before it is dropped (`ws` listener). */
export const TERMINATE_AFTER_MS = 2000;
/** Time for requests under way and for closing handshakes in a shutdown. */
export const SHUTDOWN_TIMEOUT_MS = 4000;
/** The part of it that is kept for closing handshakes: a peer that is there needs far less. */
export const CLOSE_TIMEOUT_MS = 1000;
/** Time for HTTP requests under way after that; so a whole shutdown ends within 5 s. */
export const HTTP_CLOSE_TIMEOUT_MS = 500;
/** What `server_draining` tells clients to wait before they reconnect. */
export const RECONNECT_AFTER_MS = 1000;
/** Largest uploaded package: a service with its runtime and a container image inside. */
export const MAX_PACKAGE_BYTES = 2 * 1024 * 1024 * 1024;
/** Time to send all request headers (only the `ws` listener can enforce it). */
export const HEADERS_TIMEOUT_MS = 10_000;
/** Time for a whole HTTP request, its upload included (only the `ws` listener can enforce it). */
export const REQUEST_TIMEOUT_MS = 15 * 60 * 1000;

// ---- packages ----------------------------------------------------------------------------------

/** Longest version: with the longest name it still fits into one file name of 255 bytes. */
export const MAX_VERSION_LENGTH = 100;
/** `manifest.yaml`: far above any real one, small enough that no YAML trick costs time. */
export const MAX_MANIFEST_BYTES = 64 * 1024;
/** Collections inside each other in a manifest: the format needs five. */
export const MAX_MANIFEST_DEPTH = 20;
/** Problems of one manifest that are listed; the first ones explain the rest. */
export const MAX_MANIFEST_PROBLEMS = 20;
/** Ports, dependencies, variables … in one list or map of a manifest. */
export const MAX_MANIFEST_ITEMS = 256;
/** Shortest duration in a manifest: below it a check would be noise. */
export const MIN_MANIFEST_DURATION_MS = 10;
/** Longest duration in a manifest: one day. */
export const MAX_MANIFEST_DURATION_MS = 24 * 60 * 60 * 1000;
/** Unpacked package, all entries together. */
export const MAX_UNPACKED_BYTES = 16 * 1024 ** 3;
/** Files, directories and links in a package: large `node_modules` fit, a million empty files do not. */
export const MAX_PACKAGE_ENTRIES = 100_000;
/** Unpacked : packed. Real services stay under 20; zeros reach 1,000. */
export const MAX_UNPACK_RATIO = 200;
/** Reading a package lets others run after this long: a server does it while it serves. */
export const EVENT_LOOP_SLICE_MS = 8;
/** Unpacked bytes below which the ratio is not looked at: small files of zeros are harmless. */
export const UNPACK_RATIO_FLOOR_BYTES = 64 * 1024 * 1024;
/** Longest path inside a package: with the install root it stays well under PATH_MAX (4096). */
export const MAX_ENTRY_PATH_BYTES = 1024;
/** Longest part of a path: what ext4, XFS and Btrfs can store. */
export const MAX_PATH_PART_BYTES = 255;
/** Links followed in a row when a link's end is looked for: Linux itself allows 40. */
export const MAX_LINK_HOPS = 40;
/** Parts of paths walked to find where all links of a package end: a second's work at most. */
export const MAX_LINK_STEPS = 1_000_000;
/** `SHA256SUMS`: a line for every entry that is allowed, of usual length. */
export const MAX_SUMS_BYTES = 16 * 1024 * 1024;
/** As much of a script is checked for its line ends: what comes later is seldom text. */
export const MAX_SCRIPT_BYTES = 1024 * 1024;
/** One extended tar header: a path and a link target of the longest kind, with room. */
export const MAX_TAR_EXTENSION_BYTES = 16 * 1024;
/** A minisign key or signature file: they have at most four short lines. */
export const MAX_SIGNATURE_FILE_BYTES = 16 * 1024;
/** Largest file for minisign's old signatures without hashing, which need it in memory. */
export const MAX_LEGACY_SIGNED_BYTES = 256 * 1024 * 1024;

// ---- storage -----------------------------------------------------------------------------------

/** Events that `history()` can always give: an hour of a busy fleet, about 10 MB of memory. */
export const MIN_HISTORY_EVENTS = 10_000;
/** Bytes of journal lines written and synced at once: some milliseconds of any disk. */
export const MAX_JOURNAL_BATCH_BYTES = 4 * 1024 * 1024;
/** Changes waiting for the disk before new ones are refused: memory stays bounded when the disk hangs. */
export const MAX_PENDING_CHANGES = 16_384;
/** Size at which the journal goes on in a new segment: big enough to be rare, small enough to delete early. */
export const JOURNAL_SEGMENT_BYTES = 4 * 1024 * 1024;
/** Quiet time after a change before the snapshot is saved. Durability does not wait for it. */
export const SNAPSHOT_DELAY_MS = 1_000;
/** Longest time that a steady stream of changes can put a snapshot off. */
export const SNAPSHOT_MAX_DELAY_MS = 10_000;
/** Longest piece of work on a snapshot before the event loop gets its turn (the bar is 10 ms). */
export const SNAPSHOT_SLICE_MS = 3;
/** How often `durability: "async"` syncs the journal: what a power cut can cost in that mode. */
export const ASYNC_SYNC_INTERVAL_MS = 1_000;
/** Pause between attempts to accept changes again after the disk refused one. */
export const STORAGE_RETRY_MS = 1_000;
/** Finest time between two looks at the leases: heartbeats are seconds apart. */
export const LEASE_SWEEP_MS = 50;
/** When the expiry of a lease could not be recorded, it is tried again after this. */
export const LEASE_RETRY_MS = 1_000;
/** Largest small document (a deployment record of 1,000 hosts with errors is about 1 MiB). */
export const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024;

// ---- deployments in the server -----------------------------------------------------------------

/** Deployments that are remembered: weeks of history at a few a day, a few MiB on disk. */
export const MAX_KEPT_DEPLOYMENTS = 500;
/** Deployments that run at once; further ones are `queued`. Each holds up to `parallel` connections. */
export const MAX_RUNNING_DEPLOYMENTS = 8;
/** Deployments that may wait; one more is refused with `unavailable`. */
export const MAX_QUEUED_DEPLOYMENTS = 100;
/** How long a shutdown waits for deployments to roll back before they are left `interrupted`. */
export const DEPLOY_PARK_TIMEOUT_MS = 4000;

// ---- executor: commands and SSH ----------------------------------------------------------------

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
/** Log lines answered when `tail` is left out. */
export const DEFAULT_LOG_TAIL_LINES = 100;

// ---- deploy ------------------------------------------------------------------------------------

/** Good releases kept on a host: what Capistrano and Kamal keep. */
export const KEEP_RELEASES = 5;
/** Failed releases kept on a host as evidence: the last one and the one before. */
export const KEEP_BAD_RELEASES = 2;
/** Hosts at once: ten uploads fill most uplinks, and sshd's MaxStartups default is 10. */
export const DEPLOY_PARALLEL = 10;
/** Life of a host's lock without renewal: with the guardian's second it frees itself well within 30 s. */
export const DEPLOY_LOCK_TTL_MS = 20_000;
/** Renewals that may fail within the life of a lock before it is lost. */
export const DEPLOY_LOCK_RENEWALS = 4;
/** Pause between two looks at a lock that somebody else holds. */
export const DEPLOY_LOCK_POLL_MS = 500;
/** One of a deployment's small commands: they take milliseconds; a host that swaps takes seconds. */
export const DEPLOY_COMMAND_TIMEOUT_MS = 60_000;
/** Listing, hashing, extracting and syncing the largest package on a slow disk. */
export const DEPLOY_EXTRACT_TIMEOUT_MS = 15 * 60_000;
/** Longest pause in an upload before it counts as stuck. */
export const DEPLOY_UPLOAD_STALL_MS = 60_000;
/** Least time between two progress events of a host: at most four a second. */
export const DEPLOY_PROGRESS_INTERVAL_MS = 250;
/** Time for one host to go back after a failure or a cancel: stop, switch, start, healthy. */
export const DEPLOY_ROLLBACK_TIMEOUT_MS = 180_000;
/** Time for the second connection, made to clean up after the first broke. */
export const DEPLOY_RECONNECT_TIMEOUT_MS = 10_000;
/** How long a service without a health check must stay up to count as started. */
export const DEPLOY_SETTLE_MS = 1_000;
/** Added to what the health check's own timing asks for, for the commands in between. */
export const DEPLOY_HEALTH_GRACE_MS = 5_000;
/** Free space asked for, as a multiple of the package: the upload, its extracted files, and room. */
export const DEPLOY_SPACE_FACTOR = 4;
/** Secrets shorter than this are not looked for in reports: hiding them would black out ordinary text. */
export const MIN_REDACTED_CHARACTERS = 4;
/** What is left of a secret where a text was cut is hidden from this length on. */
export const MIN_REDACTED_PART_CHARACTERS = 6;
/** Space kept back on a host until a switch is committed: records, pid and log files of going back on a full disk. */
export const DEPLOY_RESERVE_BYTES = 256 * 1024;
/** Log lines in a failure report. */
export const DEPLOY_LOG_LINES = 30;
/** Characters of a command's output in a failure report. */
export const DEPLOY_OUTPUT_CHARACTERS = 2_000;
/** Progress events that wait for a reader before older `progress` ones of the same host give way. */
export const DEPLOY_EVENT_QUEUE = 10_000;
/** Longest `state_reason` and health message that the server writes: a sentence with its last log line. */
export const MAX_REASON_LENGTH = 2000;
