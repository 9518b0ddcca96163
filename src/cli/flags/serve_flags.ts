/**
 * The flags of `serve`: one table for the help, the environment names and the keys of the config file.
 *
 * @module
 */
import {
  resolveLimits,
  SERVER_LIMIT_KEYS,
  SERVER_LIMITS,
  type ServerLimits,
} from "../../model/server_limits.ts";
import { LISTENERS } from "../../server/listeners/listener.ts";
import { parseNetwork } from "../../server/access/trusted_proxies.ts";
import { DURABILITIES } from "../../storage/durability.ts";
import {
  booleanFlag,
  choiceFlag,
  fileFlag,
  type Flag,
  flagName,
  type FlagTable,
  type FlagValues,
  listFlag,
  textFlag,
  valueFlag,
} from "./flags.ts";
import { duration, integer, type ListenAddress, listenAddress, size } from "./values.ts";
import { formatDuration, formatSize } from "../../util/units.ts";

const DEFAULT_LISTEN = "127.0.0.1:8080";
/** The variable of client commands that `serve` reads too. */
export const CLIENT_TOKEN_FILE = "HARNESS_TOKEN_FILE";
const DAY_MS = 24 * 60 * 60 * 1000;

/** Levels of log lines that can be chosen; the first is the default. */
export const LOG_LEVELS = ["info", "debug", "warning", "error"] as const;

/** Forms of log lines; the first is the default. */
export const LOG_FORMATS = ["text", "json"] as const;

/** Where and how the server listens, keeps its state and logs. */
export const SERVE_FLAGS = {
  listen: valueFlag<ListenAddress>("host:port", {
    env: "HARNESS_LISTEN",
    help: "where to listen; port 0 takes a free one",
    fallback: listenAddress(DEFAULT_LISTEN),
    shownDefault: DEFAULT_LISTEN,
  }, listenAddress),
  listener: choiceFlag(LISTENERS, {
    env: "HARNESS_LISTENER",
    help: "both are the same listener; kept for commands that name one",
  }, "ws"),
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
  strictState: booleanFlag({
    env: "HARNESS_STRICT_STATE",
    help: "refuse to start when the state had to be repaired",
  }),
  tokenFile: fileFlag({
    // Client commands read it too; see server_token.ts.
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
  allowUnauthenticated: booleanFlag({
    env: "HARNESS_ALLOW_UNAUTHENTICATED",
    help: "give every client full access without a token",
  }),
  allowOrigin: listFlag("origin", {
    env: "HARNESS_ALLOW_ORIGIN",
    help: "browser origin that may connect",
  }, (text) => text),
  allowHost: listFlag("host", {
    env: "HARNESS_ALLOW_HOST",
    help: "further name by which clients call this server",
  }, (text) => text),
  trustedProxy: listFlag("address", {
    env: "HARNESS_TRUSTED_PROXY",
    help: "proxy, or network of proxies, whose X-Forwarded-For names the client",
  }, network),
  tlsCert: fileFlag({ env: "HARNESS_TLS_CERT", help: "certificate chain, PEM" }),
  tlsKey: fileFlag({ env: "HARNESS_TLS_KEY", help: "private key, PEM" }),
  logLevel: choiceFlag(LOG_LEVELS, {
    env: "HARNESS_LOG_LEVEL",
    help: "least severe log line that is shown",
  }),
  logFormat: choiceFlag(LOG_FORMATS, {
    env: "HARNESS_LOG_FORMAT",
    help: "form of the log lines on stderr",
  }),
} satisfies FlagTable;

/** Reads an IP address or a network such as `10.0.0.0/8`. */
function network(text: string): string {
  try {
    parseNetwork(text);
  } catch {
    throw new Error("must be an IP address or a network such as 10.0.0.0/8");
  }
  return text;
}

/** The flag key of a limit: the unit is in the value, so `pingIntervalMs` is `--ping-interval 30s`. */
type LimitFlagKey<K extends string> = K extends `${infer Name}Ms` ? Name : K;

/** How the value of a flag is written, by the unit of its limit. */
const LIMIT_VALUES = {
  bytes: {
    name: "size",
    show: formatSize,
    read: positive(size, Number.MAX_SAFE_INTEGER, formatSize),
  },
  ms: { name: "time", show: formatDuration, read: positive(duration, DAY_MS, formatDuration) },
  count: { name: "n", show: String, read: integer(1, 1e9) },
};

/** The limits of the server. */
export const LIMIT_FLAGS: { readonly [K in keyof ServerLimits as LimitFlagKey<K>]: Flag<number> } =
  Object.fromEntries(SERVER_LIMIT_KEYS.map((key) => [limitFlagKey(key), limitFlag(key)])) as {
    readonly [K in keyof ServerLimits as LimitFlagKey<K>]: Flag<number>;
  };

/** The limits of the server from the values of {@linkcode LIMIT_FLAGS}. */
export function serverLimits(values: FlagValues<typeof LIMIT_FLAGS>): ServerLimits {
  const byKey = values as Record<string, number>;
  const given = SERVER_LIMIT_KEYS.map((key) => [key, byKey[limitFlagKey(key)]]);
  return resolveLimits(Object.fromEntries(given));
}

function limitFlagKey(key: keyof ServerLimits): string {
  return key.replace(/Ms$/, "");
}

function limitFlag(key: keyof ServerLimits): Flag<number> {
  const { unit, help, fallback } = SERVER_LIMITS[key];
  const { name, show, read } = LIMIT_VALUES[unit];
  const env = `HARNESS_${flagName(limitFlagKey(key)).toUpperCase().replaceAll("-", "_")}`;
  return valueFlag(name, { env, help, fallback, shownDefault: show(fallback) }, read);
}

function positive(
  read: (text: string) => number,
  max: number,
  show: (value: number) => string,
): (text: string) => number {
  return (text) => {
    const value = read(text);
    if (value < 1) throw new Error("must be more than 0");
    if (value > max) throw new Error(`must not be more than ${show(max)}`);
    return value;
  };
}
