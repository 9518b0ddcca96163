/**
 * The limits of a server: each optional in the options, each with its default in `src/model/limits.ts`.
 *
 * @module
 */
import * as defaults from "../model/limits.ts";
import {
  MAX_CONNECTIONS_PER_ADDRESS,
  MAX_PACKAGES_BYTES,
  MAX_UPLOADS,
  TRANSFER_STALL_MS,
} from "./peer_limits.ts";

/** The limits of a server. */
export interface ServerLimits {
  /** Bytes of one message from a client; beyond it the connection is closed with 1009. */
  maxMessageBytes: number;
  /** Nesting of a message. */
  maxMessageDepth: number;
  /** Connections at once; beyond it an upgrade is answered with 503. */
  maxConnections: number;
  /** Connections of one address at once; see docs/protocol.md for loopback and proxies. */
  maxConnectionsPerAddress: number;
  /** Requests of one connection that are being worked on. */
  maxInFlightRequests: number;
  /** Sustained requests a second of one connection; bursts of twice as many are fine. */
  maxRequestsPerSecond: number;
  /** By how many the requests refused for their rate may outnumber the accepted ones before 4429. */
  maxRateLimitedRequests: number;
  /** Malformed messages in a row before 4400. */
  maxBadMessages: number;
  /** Subscriptions of one connection. */
  maxSubscriptions: number;
  /** Bytes queued for one client; when they are reached, its events wait. */
  maxSendQueueBytes: number;
  /** How long a client with a full queue may take nothing at all before 4408. */
  sendStallTimeoutMs: number;
  /** Events kept in memory for resuming. */
  replayRingEvents: number;
  /** Bytes of events kept in memory for resuming. */
  replayRingBytes: number;
  /** A subscriber that got nothing for this long gets a bookmark. */
  bookmarkIntervalMs: number;
  /** A subscriber gets a bookmark before it skipped more events than this. */
  bookmarkSkippedEvents: number;
  /** A connection whose peer answers no ping for this long is closed. */
  pingIntervalMs: number;
  /** Whole graceful shutdown. */
  shutdownTimeoutMs: number;
  /** Bytes of one uploaded package. */
  maxPackageBytes: number;
  /** Bytes of all packages and unfinished uploads. */
  maxPackagesBytes: number;
  /** Uploads at once; half of them from one address. */
  maxUploads: number;
  /** How long an upload or a download may hardly move. */
  transferStallTimeoutMs: number;
}

/** The default of every limit. */
export const DEFAULT_SERVER_LIMITS: Readonly<ServerLimits> = {
  maxMessageBytes: defaults.MAX_MESSAGE_BYTES,
  maxMessageDepth: defaults.MAX_MESSAGE_DEPTH,
  maxConnections: defaults.MAX_CONNECTIONS,
  maxConnectionsPerAddress: MAX_CONNECTIONS_PER_ADDRESS,
  maxInFlightRequests: defaults.MAX_IN_FLIGHT_REQUESTS,
  maxRequestsPerSecond: defaults.MAX_REQUESTS_PER_SECOND,
  maxRateLimitedRequests: defaults.MAX_RATE_LIMITED_REQUESTS,
  maxBadMessages: defaults.MAX_BAD_MESSAGES,
  maxSubscriptions: defaults.MAX_SUBSCRIPTIONS,
  maxSendQueueBytes: defaults.MAX_SEND_QUEUE_BYTES,
  sendStallTimeoutMs: defaults.SEND_STALL_TIMEOUT_MS,
  replayRingEvents: defaults.REPLAY_RING_EVENTS,
  replayRingBytes: defaults.REPLAY_RING_BYTES,
  bookmarkIntervalMs: defaults.BOOKMARK_INTERVAL_MS,
  bookmarkSkippedEvents: defaults.BOOKMARK_SKIPPED_EVENTS,
  pingIntervalMs: defaults.PING_INTERVAL_MS,
  shutdownTimeoutMs: defaults.SHUTDOWN_TIMEOUT_MS,
  maxPackageBytes: defaults.MAX_PACKAGE_BYTES,
  maxPackagesBytes: MAX_PACKAGES_BYTES,
  maxUploads: MAX_UPLOADS,
  transferStallTimeoutMs: TRANSFER_STALL_MS,
};

/** The limits of the options, with the defaults where none is given. */
export function resolveLimits(limits: Partial<ServerLimits> = {}): ServerLimits {
  const given = Object.entries(limits).filter(([, value]) => value !== undefined);
  return { ...DEFAULT_SERVER_LIMITS, ...Object.fromEntries(given) };
}
