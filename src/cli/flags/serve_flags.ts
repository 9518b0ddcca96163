/**
 * The flags of `serve`: one table, from which come the help, the environment names and the keys of the
 * config file.
 *
 * @module
 */
import { DEFAULT_SERVER_LIMITS, type ServerLimits } from "../../server/server_limits.ts";
import { DURABILITIES } from "../../storage/journal/line.ts";
import {
  choiceFlag,
  fileFlag,
  type Flag,
  flagName,
  type FlagTable,
  type FlagValues,
  listFlag,
  onOff,
  textFlag,
  valued,
} from "./flags.ts";
import { duration, integer, type ListenAddress, listenAddress, size } from "./values.ts";
import { formatDuration, formatSize } from "../../util/units.ts";

const DEFAULT_LISTEN = "127.0.0.1:8080";
/** The variable of client commands that `serve` reads too. */
export const CLIENT_TOKEN_FILE = "HARNESS_TOKEN_FILE";
const DAY_MS = 24 * 60 * 60 * 1000;

/** Where and how the server listens, keeps its state and logs. */
export const SERVE_FLAGS = {
  listen: valued<ListenAddress>("host:port", {
    env: "HARNESS_LISTEN",
    help: "where to listen; port 0 takes a free one",
    fallback: listenAddress(DEFAULT_LISTEN),
    shownDefault: DEFAULT_LISTEN,
  }, listenAddress),
  listener: choiceFlag(["deno", "ws"], {
    env: "HARNESS_LISTENER",
    help: "which listener; ws drops silent and slow peers, for hostile networks",
  }),
  stateDir: textFlag("dir", { env: "HARNESS_STATE_DIR", help: "where the registry is kept" }),
  packagesDir: textFlag("dir", {
    env: "HARNESS_PACKAGES_DIR",
    help: "where packages are kept (default: <state dir>/packages)",
  }),
  trustedKey: listFlag("file|key", {
    env: "HARNESS_TRUSTED_KEY",
    help: "take and deploy only packages that this minisign key signed",
  }, (text, place) => ({ place, path: text })),
  durability: choiceFlag(DURABILITIES, {
    env: "HARNESS_DURABILITY",
    help: "whether a change is on disk before it is acknowledged",
  }),
  strictState: onOff({
    env: "HARNESS_STRICT_STATE",
    help: "refuse to start when the state had to be repaired",
  }),
  tokenFile: fileFlag({
    // Client commands read it too: server_token.ts says what that means.
    env: CLIENT_TOKEN_FILE,
    help: "token that may do everything, instead of the one that the server makes; better " +
      "HARNESS_SERVER_TOKEN_FILE",
  }),
  readTokenFile: fileFlag({
    env: "HARNESS_READ_TOKEN_FILE",
    help: "token that may only read; or the token itself in HARNESS_READ_TOKEN",
  }),
  tokensFile: fileFlag({
    env: "HARNESS_TOKENS_FILE",
    help: "named tokens, made with `token new`: hashes, rights, services, expiry",
  }),
  allowUnauthenticated: onOff({
    env: "HARNESS_ALLOW_UNAUTHENTICATED",
    help: "let everybody who reaches the server do everything",
  }),
  allowOrigin: listFlag("origin", {
    env: "HARNESS_ALLOW_ORIGIN",
    help: "browser origin that may connect",
  }, (text) => text),
  allowHost: listFlag("host", {
    env: "HARNESS_ALLOW_HOST",
    help: "further name by which clients call this server",
  }, (text) => text),
  tlsCert: fileFlag({ env: "HARNESS_TLS_CERT", help: "certificate chain, PEM" }),
  tlsKey: fileFlag({ env: "HARNESS_TLS_KEY", help: "private key, PEM" }),
  logLevel: choiceFlag(["info", "debug", "warning", "error"], {
    env: "HARNESS_LOG_LEVEL",
    help: "least severe log line that is shown",
  }),
  logFormat: choiceFlag(["text", "json"], {
    env: "HARNESS_LOG_FORMAT",
    help: "form of the log lines on stderr",
  }),
} satisfies FlagTable;

type LimitKind = "count" | "size" | "time";

const LIMITS: Readonly<Record<keyof ServerLimits, [kind: LimitKind, help: string]>> = {
  maxMessageBytes: ["size", "one message from a client, else 1009"],
  maxMessageDepth: ["count", "nesting of a message"],
  maxConnections: ["count", "connections at once, else 503"],
  maxConnectionsPerAddress: ["count", "connections of one address; loopback only if set"],
  maxInFlightRequests: ["count", "requests of one connection being worked on"],
  maxRequestsPerSecond: ["count", "sustained requests a second of one connection"],
  maxRateLimitedRequests: [
    "count",
    "requests refused over that rate, beyond those accepted, before 4429",
  ],
  maxBadMessages: ["count", "malformed messages in a row before 4400"],
  maxSubscriptions: ["count", "subscriptions of one connection"],
  maxSendQueueBytes: ["size", "queued for one client before events and responses wait"],
  sendStallTimeoutMs: ["time", "how long they wait for a client that reads nothing"],
  replayRingEvents: ["count", "events kept in memory for resuming"],
  replayRingBytes: ["size", "bytes of events kept in memory for resuming"],
  bookmarkIntervalMs: ["time", "a quiet subscriber gets a bookmark this often"],
  bookmarkSkippedEvents: ["count", "or after this many events it did not ask for"],
  pingIntervalMs: ["time", "a peer that answers no ping for this long is dropped"],
  shutdownTimeoutMs: ["time", "whole shutdown in good order"],
  maxPackageBytes: ["size", "one uploaded package"],
  maxPackagesBytes: ["size", "all packages and unfinished uploads, else 507"],
  maxUploads: ["count", "uploads at once, half of them from one address, else 429"],
  transferStallTimeoutMs: ["time", "how long an upload or a download may hardly move"],
};

/** A flag has its unit in its value: the limit `pingIntervalMs` is `--ping-interval 30s`. */
type LimitFlagKey<K extends string> = K extends `${infer Name}Ms` ? Name : K;

/** The bounds of the server. */
export const LIMIT_FLAGS: { readonly [K in keyof ServerLimits as LimitFlagKey<K>]: Flag<number> } =
  Object.fromEntries(limitKeys().map((key) => [limitFlagKey(key), limitFlag(key)])) as {
    readonly [K in keyof ServerLimits as LimitFlagKey<K>]: Flag<number>;
  };

/** The limits of the server as the values of {@linkcode LIMIT_FLAGS} say. */
export function serverLimits(values: FlagValues<typeof LIMIT_FLAGS>): ServerLimits {
  const byKey = values as Record<string, number>;
  return Object.fromEntries(
    limitKeys().map((key) => [key, byKey[limitFlagKey(key)] ?? DEFAULT_SERVER_LIMITS[key]]),
  ) as unknown as ServerLimits;
}

function limitKeys(): Array<keyof ServerLimits> {
  return Object.keys(LIMITS) as Array<keyof ServerLimits>;
}

function limitFlagKey(key: keyof ServerLimits): string {
  return key.replace(/Ms$/, "");
}

function limitFlag(key: keyof ServerLimits): Flag<number> {
  const [kind, help] = LIMITS[key];
  const fallback = DEFAULT_SERVER_LIMITS[key];
  const env = `HARNESS_${flagName(limitFlagKey(key)).toUpperCase().replaceAll("-", "_")}`;
  if (kind === "size") {
    const shownDefault = formatSize(fallback);
    return valued(
      "size",
      { env, help, fallback, shownDefault },
      positive(size, Number.MAX_SAFE_INTEGER, formatSize),
    );
  }
  if (kind === "time") {
    const shownDefault = formatDuration(fallback);
    return valued(
      "time",
      { env, help, fallback, shownDefault },
      positive(duration, DAY_MS, formatDuration),
    );
  }
  return valued("n", { env, help, fallback, shownDefault: `${fallback}` }, integer(1, 1e9));
}

function positive(
  read: (text: string) => number,
  max: number,
  show: (value: number) => string,
): (text: string) => number {
  return (text) => {
    const value = read(text);
    if (value < 1) throw new Error(`must be more than 0`);
    if (value > max) throw new Error(`must not be more than ${show(max)}`);
    return value;
  };
}
