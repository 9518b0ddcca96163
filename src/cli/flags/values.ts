/**
 * Parsers of flag values: numbers, sizes, durations, addresses, pairs.
 *
 * Each throws a plain `Error` with what is expected; the caller adds where the text came from.
 *
 * @module
 */

import { SEMVER } from "../../package/names.ts";
import { nearestName } from "../../util/did_you_mean.ts";
import { parseDuration, parseSize } from "../../util/units.ts";

/** A reader of one of `choices`. */
export function oneOf<const C extends string>(choices: readonly C[]): (text: string) => C {
  return (text) => {
    const found = choices.find((choice) => choice === text);
    if (found !== undefined) return found;
    const near = nearestName(text, choices);
    throw new Error(
      `must be one of ${choices.join(", ")}${near === null ? "" : `, did you mean ${near}?`}`,
    );
  };
}

/** A reader of whole numbers from `min` to `max`. */
export function integer(
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): (text: string) => number {
  return (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      const upTo = max === Number.MAX_SAFE_INTEGER ? "or more" : `to ${max}`;
      throw new Error(`must be a whole number, ${min} ${upTo}`);
    }
    return value;
  };
}

/** Reads a size such as `256KiB`; a bare number is bytes. */
export function size(text: string): number {
  const bytes = parseSize(text);
  if (bytes === null) throw new Error("must be a size such as 65536, 256KiB, 1MiB or 2GiB");
  return bytes;
}

/** Reads a duration such as `500ms`, `30s`, `5m`, `1h`, in milliseconds. */
export function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === null) throw new Error("must be a duration such as 500ms, 30s, 5m or 1h");
  return ms;
}

/** Reads the duration of a timeout: 0 would be no time at all. */
export function timeout(text: string): number {
  const value = duration(text);
  if (value < 1) throw new Error("must be more than 0");
  return value;
}

/** Reads the address of a server; behind a proxy its path is a directory: `wss://host/harness/`. */
export function serverUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !["ws:", "wss:", "http:", "https:"].includes(url.protocol)) {
    throw new Error("must be a URL such as ws://127.0.0.1:8080 or wss://host:port");
  }
  if (url.pathname.endsWith("/")) return text;
  url.pathname += "/";
  return url.href;
}

/** An address to listen on. */
export interface ListenAddress {
  /** Host name or address, an IPv6 address without brackets. */
  hostname: string;
  /** Port; 0 = any free one. */
  port: number;
}

/** Reads `host:port`, `[v6]:port`, `:port` or `port`. */
export function listenAddress(text: string): ListenAddress {
  const match = /^(?:\[([0-9A-Fa-f:.%\w]+)\]:|([^:[\]\s]*):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) {
    throw new Error("must be host:port, such as 127.0.0.1:8080 or [::1]:8080 (port 0 = any free)");
  }
  return { hostname: match[1] ?? (match[2] || "127.0.0.1"), port };
}

/** Reads a SemVer version, as a manifest has it. */
export function semVer(text: string): string {
  if (!SEMVER.test(text)) throw new Error("must be a SemVer version such as 1.2.3 or 1.2.3-rc.1");
  return text;
}

/** A pair `key=value`. */
export type Pair = readonly [key: string, value: string];

/** Reads `K=V` where K is a name of an environment variable. */
export function envPair(text: string): Pair {
  const match = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(text);
  if (match === null) {
    throw new Error("must be NAME=value, with a name of letters, digits and _");
  }
  return [match[1] ?? "", match[2] ?? ""];
}

/** Reads `key=value` with any key. */
export function pair(text: string): Pair {
  const at = text.indexOf("=");
  if (at < 1) throw new Error("must be key=value");
  return [text.slice(0, at), text.slice(at + 1)];
}
