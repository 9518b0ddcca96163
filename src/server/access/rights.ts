/**
 * Who may do what: the rights of each kind of client.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import type { Right } from "../../protocol/actions.ts";
import type { ServiceScope } from "./scope.ts";
import type { TokenRights } from "./tokens.ts";

/**
 * What a client may do: everything; only what changes nothing; or, without a token on the loopback
 * interface, only read and keep the registry.
 */
export type Access = TokenRights | "anonymous";

/** A client as the server knows it. */
export interface Client {
  /** What it may do. */
  readonly access: Access;
  /** Who it is, for records and logs: the kind or the name of its token, or `anonymous`. */
  readonly by: string;
  /** Its IP address, where the listener knows it. */
  readonly address?: string | undefined;
  /** The services that its token is limited to. Left out: all. */
  readonly scope?: ServiceScope | undefined;
  /** Fires when its token is taken away, expires or may do other things from now on. Left out: never. */
  readonly revoked?: AbortSignal | undefined;
}

const RIGHTS: Readonly<Record<Access, ReadonlySet<Right>>> = {
  full: new Set<Right>(["read", "registry", "logs", "content", "control"]),
  read: new Set<Right>(["read", "logs", "content"]),
  // Whoever reaches the port: on a machine with several users that is each of them.
  anonymous: new Set<Right>(["read", "registry"]),
};

/** Whether a client has a right. */
export function hasRight(access: Access, right: Right): boolean {
  return RIGHTS[access].has(right);
}

/**
 * Before anything else is looked at.
 *
 * @param what What is refused, such as `run deploy_package`.
 * @param tokenFile Where the server's token is, for whoever sent none.
 * @throws {HarnessError} `unauthorized` for a client without a token, `forbidden` for one that may only read.
 */
export function requireRight(
  right: Right,
  access: Access,
  what: string,
  tokenFile: string | null = null,
): void {
  if (hasRight(access, right)) return;
  if (access === "anonymous") throw anonymousRefusal(what, tokenFile);
  throw new HarnessError("forbidden", `Cannot ${what}: this token may only read`, {
    details: { reason: "read_only_token" },
  });
}

/** The error for a client without a token, which names the file that has it. */
export function anonymousRefusal(
  what: string,
  tokenFile: string | null,
  why = "a client without a token may only read and keep the registry",
): HarnessError {
  const where = tokenFile === null ? "" : `, which is in ${tokenFile}`;
  return new HarnessError(
    "unauthorized",
    `Cannot ${what}: ${why}; send this server's token${where}`,
    {
      details: {
        reason: "no_token",
        ...(tokenFile === null ? {} : { token_file: tokenFile }),
      },
    },
  );
}
