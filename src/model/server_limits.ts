/**
 * The limits of a server that an operator can change: one table, from which come the options of the
 * library, the flags of `serve` with their environment names, and the limits in `hello`.
 *
 * @module
 */
import { MAX_MESSAGE_DEPTH, MAX_PACKAGE_BYTES } from "./limits.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** One row of {@linkcode SERVER_LIMITS}. */
export interface ServerLimit {
  /** Value in {@linkcode ServerLimit.unit}s when the operator gives none. */
  readonly fallback: number;
  /** Unit of the value; also selects how the flag is written (`30s`, `1MiB`, `64`). */
  readonly unit: "bytes" | "ms" | "count";
  /** Help of the flag of `serve`. */
  readonly help: string;
  /** Name in the `limits` of `hello`; left out where a client has no use for it. */
  readonly hello?: string;
}

/** Every limit that an operator can change, in the order of the help. */
export const SERVER_LIMITS = {
  /** Bytes of one message: room for the largest sensible registration; parses in well under 10 ms. */
  maxMessageBytes: {
    unit: "bytes",
    fallback: 256 * KIB,
    help: "one message from a client, else 1009",
    hello: "max_message_bytes",
  },
  /** Nesting of a message. */
  maxMessageDepth: {
    unit: "count",
    fallback: MAX_MESSAGE_DEPTH,
    help: "nesting of a message",
    hello: "max_message_depth",
  },
  /** Connections at once: each costs about 25 kB; the next one gets 503 before its upgrade. */
  maxConnections: { unit: "count", fallback: 10_000, help: "connections at once, else 503" },
  /**
   * TCP connections and WebSockets of one address; see docs/protocol.md for loopback and proxies. A machine
   * full of clients or a small office behind one address fits; one machine cannot take all connections.
   */
  maxConnectionsPerAddress: {
    unit: "count",
    fallback: 1000,
    help: "connections of one address; loopback only if set",
  },
  /** Requests of one connection in flight; beyond it the client must wait. */
  maxInFlightRequests: {
    unit: "count",
    fallback: 64,
    help: "requests of one connection being worked on",
    hello: "max_in_flight",
  },
  /** Sustained requests a second of one connection; bursts of twice as many are accepted. */
  maxRequestsPerSecond: {
    unit: "count",
    fallback: 1000,
    help: "sustained requests a second of one connection",
    hello: "max_requests_per_second",
  },
  /** By how many the requests refused for their rate may outnumber the accepted ones before 4429. */
  maxRateLimitedRequests: {
    unit: "count",
    fallback: 1000,
    help: "requests refused over that rate, beyond those accepted, before 4429",
  },
  /** Malformed messages in a row before the connection is closed with 4400. */
  maxBadMessages: {
    unit: "count",
    fallback: 20,
    help: "malformed messages in a row before 4400",
    hello: "max_bad_messages",
  },
  /** Subscriptions of one connection. */
  maxSubscriptions: {
    unit: "count",
    fallback: 128,
    help: "subscriptions of one connection",
    hello: "max_subscriptions",
  },
  /** Bytes queued for one client; when they are reached, its events wait. */
  maxSendQueueBytes: {
    unit: "bytes",
    fallback: MIB,
    help: "queued for one client before events and responses wait",
    hello: "max_send_queue_bytes",
  },
  /** How long a client with a full queue may read nothing at all before it is a slow consumer (4408). */
  sendStallTimeoutMs: {
    unit: "ms",
    fallback: 5000,
    help: "how long they wait for a client that reads nothing",
  },
  /** Events kept in memory for resuming without touching the disk. */
  replayRingEvents: { unit: "count", fallback: 16_384, help: "events kept in memory for resuming" },
  /** Bytes of the same; whichever is reached first. */
  replayRingBytes: {
    unit: "bytes",
    fallback: 16 * MIB,
    help: "bytes of events kept in memory for resuming",
  },
  /** A subscriber that got no event for this long gets a bookmark. */
  bookmarkIntervalMs: {
    unit: "ms",
    fallback: 30_000,
    help: "a quiet subscriber gets a bookmark this often",
    hello: "bookmark_interval_ms",
  },
  /** A subscriber gets a bookmark before it skipped more events than this. */
  bookmarkSkippedEvents: {
    unit: "count",
    fallback: 1000,
    help: "or after this many events it did not ask for",
  },
  /** A connection whose peer answers no ping for this long is closed. */
  pingIntervalMs: {
    unit: "ms",
    fallback: 30_000,
    help: "a peer that answers no ping for this long is dropped",
  },
  /** Whole graceful shutdown: requests in flight and closing handshakes. */
  shutdownTimeoutMs: { unit: "ms", fallback: 4000, help: "whole shutdown in good order" },
  /** Bytes of one uploaded package. */
  maxPackageBytes: {
    unit: "bytes",
    fallback: MAX_PACKAGE_BYTES,
    help: "one uploaded package",
    hello: "max_package_bytes",
  },
  /** Bytes of all packages and unfinished uploads: a hundred services with some versions each. */
  maxPackagesBytes: {
    unit: "bytes",
    fallback: 64 * GIB,
    help: "all packages and unfinished uploads, else 507",
  },
  /** Uploads at once, half of them from one address: each holds a descriptor and a few chunks. */
  maxUploads: {
    unit: "count",
    fallback: 16,
    help: "uploads at once, half of them from one address, else 429",
  },
  /** How long an upload or a download may transfer next to nothing. */
  transferStallTimeoutMs: {
    unit: "ms",
    fallback: 30_000,
    help: "how long an upload or a download may hardly move",
  },
} as const satisfies Record<string, ServerLimit>;

/** The limits of a server, in the units of {@linkcode SERVER_LIMITS}. */
export type ServerLimits = { [K in keyof typeof SERVER_LIMITS]: number };

/** The keys of {@linkcode ServerLimits}, in the order of the help. */
export const SERVER_LIMIT_KEYS: ReadonlyArray<keyof ServerLimits> = Object.keys(
  SERVER_LIMITS,
) as Array<keyof ServerLimits>;

/** The default of every limit. */
export const DEFAULT_SERVER_LIMITS: Readonly<ServerLimits> = resolveLimits();

/** The given limits, with the default of every other one. */
export function resolveLimits(given: Partial<ServerLimits> = {}): ServerLimits {
  const resolved = SERVER_LIMIT_KEYS.map((key) => [key, given[key] ?? SERVER_LIMITS[key].fallback]);
  return Object.fromEntries(resolved) as ServerLimits;
}
