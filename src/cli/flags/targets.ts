/**
 * Targets as people write them: `local`, `[user@]host[:port]`, an IPv6 address in brackets.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import type { Target, TargetSpec } from "../../protocol/actions.ts";
import { hostSchema, userSchema } from "../../model/service_schema.ts";
import type { NamedFile } from "./flags.ts";
import { named, readNamedFile } from "./secrets.ts";

/**
 * The parts of a target.
 *
 * @throws {HarnessError} `invalid_params` when it cannot be read.
 */
export function parseTarget(target: Target): "local" | TargetSpec {
  if (typeof target !== "string") return { ...target, host: bare(target.host) };
  if (target === "local") return "local";
  const match =
    /^(?:([^@\s:/]+)@)?(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([^@\s:/[\]]+))(?::([1-9]\d{0,4}))?$/
      .exec(target);
  const address = match?.[2] ?? match?.[3];
  const port = match?.[4] === undefined ? undefined : Number(match[4]);
  const wrong = !hostSchema.safeParse(address).success ||
    (match?.[1] !== undefined && !userSchema.safeParse(match[1]).success);
  if (address === undefined || wrong || (port !== undefined && (port < 1 || port > 65535))) {
    throw new HarnessError(
      "invalid_params",
      `Cannot read the host ${JSON.stringify(target)}: write it as [user@]host[:port], ` +
        "an IPv6 address in brackets, or local",
    );
  }
  const user = match?.[1];
  return {
    host: address,
    ...(user === undefined ? {} : { user }),
    ...(port === undefined ? {} : { port }),
  };
}

/** A target as one word; {@linkcode parseTarget} reads it back. */
export function targetLabel(target: "local" | TargetSpec): string {
  if (target === "local") return "local";
  const host = target.host.includes(":") ? `[${target.host}]` : target.host;
  const user = target.user === undefined ? "" : `${target.user}@`;
  return `${user}${host}${target.port === undefined ? "" : `:${target.port}`}`;
}

/**
 * The hosts of a file: one a line, `#` begins a comment.
 *
 * @throws {HarnessError} `invalid_params` with file and line, or `not_found`.
 */
export async function readHostsFile(file: NamedFile): Promise<string[]> {
  const text = await readNamedFile(file);
  const hosts: string[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const host = line.replace(/(^|\s)#.*/s, "").trim();
    if (host === "") continue;
    try {
      parseTarget(host);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new HarnessError("invalid_params", `Cannot use ${named(file)}:${index + 1}: ${why}`, {
        cause: error,
      });
    }
    hosts.push(host);
  }
  if (hosts.length === 0) {
    throw new HarnessError(
      "invalid_params",
      `Cannot use ${named(file)}: there is no host in it, write one a line`,
    );
  }
  return hosts;
}

/** An address without the brackets of an IPv6 address. */
function bare(host: string): string {
  return /^\[.*\]$/.test(host) ? host.slice(1, -1) : host;
}
