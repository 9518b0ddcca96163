/**
 * Where something is deployed: this machine, or a host that is logged in to.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";

/** A rule for a text. */
interface TextRule {
  readonly pattern: RegExp;
  /** Longest text. */
  readonly maximum: number;
}

/** A rule whose pattern is made at its first use: classes of Unicode take the half of a millisecond. */
function textRule(source: string, maximum: number): TextRule {
  let made: RegExp | undefined;
  return {
    get pattern() {
      return made ??= new RegExp(source, "u");
    },
    maximum,
  };
}

/** A host as ssh takes it: a name, an alias of ssh_config, or an address. */
export const HOST_RULE: TextRule = textRule(
  String
    .raw`^(?:[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.-]*|\[?(?:[0-9A-Fa-f.]*:){2,}[0-9A-Fa-f.]*(?:%[\w.-]+)?\]?)$`,
  255,
);

/** A user to log in as. */
export const USER_RULE: TextRule = textRule(
  String.raw`^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.@\\+-]*\$?$`,
  64,
);

/** A host to deploy to. */
export interface TargetSpec {
  /** Host name or address. */
  host: string;
  /** Login name. @default {from ~/.ssh/config, else the server's user} */
  user?: string;
  /** SSH port. @default {from ~/.ssh/config, else 22} */
  port?: number;
  /** Private key file on the server's machine. */
  identity_file?: string;
  /** Where releases go on that host. @default {the server's --install-root} */
  install_root?: string;
  /** How to become root there. */
  become?: "sudo";
}

/** `"local"`, `"[user@]host[:port]"`, or a {@linkcode TargetSpec}. */
export type Target = string | TargetSpec;

/**
 * The parts of a target.
 *
 * @throws {HarnessError} `invalid_params` for a text that is no target.
 */
export function parseTarget(target: Target): "local" | TargetSpec {
  if (typeof target !== "string") return { ...target, host: withoutBrackets(target.host) };
  const parsed = readTarget(target);
  if (parsed !== null) return parsed;
  throw new HarnessError(
    "invalid_params",
    `Cannot read the host ${JSON.stringify(target)}: write it as [user@]host[:port], ` +
      "an IPv6 address in brackets, or local",
  );
}

/** A target as one word; {@linkcode parseTarget} reads it back. */
export function targetLabel(target: "local" | TargetSpec): string {
  if (target === "local") return "local";
  const host = target.host.includes(":") ? `[${target.host}]` : target.host;
  const user = target.user === undefined ? "" : `${target.user}@`;
  return `${user}${host}${target.port === undefined ? "" : `:${target.port}`}`;
}

/** The parts of a target's text, or `null` when it is none. */
export function readTarget(text: string): "local" | TargetSpec | null {
  if (text === "local") return "local";
  const match = /^(?:([^@]+)@)?(\[[^\]]*\]|[^@:[\]]+)(?::([1-9]\d{0,4}))?$/.exec(text);
  const [, user, host = ""] = match ?? [];
  const port = match?.[3] === undefined ? undefined : Number(match[3]);
  if (!obeys(host, HOST_RULE) || (port ?? 1) > 65535) return null;
  if (user !== undefined && !obeys(user, USER_RULE)) return null;
  return {
    host: withoutBrackets(host),
    ...(user === undefined ? {} : { user }),
    ...(port === undefined ? {} : { port }),
  };
}

function obeys(text: string, { pattern, maximum }: TextRule): boolean {
  return text.length <= maximum && pattern.test(text);
}

function withoutBrackets(host: string): string {
  return /^\[.*\]$/.test(host) ? host.slice(1, -1) : host;
}
