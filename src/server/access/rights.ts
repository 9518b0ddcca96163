/**
 * The rights of each kind of client, and the checks of them.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import type { Right } from "../../protocol/actions.ts";
import type { ServiceScope } from "./scope.ts";

/** Rights of a named token. */
export const TOKEN_RIGHTS = ["read", "full"] as const;

/** One of {@linkcode TOKEN_RIGHTS}. */
export type TokenRights = (typeof TOKEN_RIGHTS)[number];

/**
 * The access of a client: full; read-only; or, without a token on the loopback interface, only reading and
 * keeping the registry.
 */
export type Access = TokenRights | "anonymous";

/** A client that was let in. */
export interface Client {
  /** Its access. */
  readonly access: Access;
  /** Name for records and logs: the kind or the name of its token, or `anonymous`. */
  readonly by: string;
  /** Its IP address, where the listener knows it. */
  readonly address?: string | undefined;
  /** The services that its token is limited to. Left out: all. */
  readonly scope?: ServiceScope | undefined;
  /** Fires when its token is revoked, expires or changes its rights. Left out: never. */
  readonly revoked?: AbortSignal | undefined;
}

const RIGHTS: Readonly<Record<Access, ReadonlySet<Right>>> = {
  full: new Set<Right>(["read", "registry", "logs", "content", "control"]),
  read: new Set<Right>(["read", "logs", "content"]),
  // Anybody who reaches the port: on a machine with several users each of them.
  anonymous: new Set<Right>(["read", "registry"]),
};

/** Whether a client has a right. */
export function hasRight(access: Access, right: Right): boolean {
  return RIGHTS[access].has(right);
}

/**
 * Refuses a client that lacks a right, before anything else is checked.
 *
 * @param what What is refused, such as `run deploy_package`.
 * @param tokenFile Path of the server's token, named to clients that sent none.
 * @throws {HarnessError} `unauthorized` for a client without a token, `forbidden` for one with a read-only token.
 */
export function requireRight(
  right: Right,
  access: Access,
  what: string,
  tokenFile: string | null = null,
): void {
  if (hasRight(access, right)) return;
  if (access === "anonymous") throw anonymousRefusal(what, tokenFile);
  throw new HarnessError("forbidden", `Cannot ${what}: this token is read-only`, {
    details: { reason: "read_only_token" },
  });
}

/** The error for a client without a token, which names the file that has it. */
export function anonymousRefusal(
  what: string,
  tokenFile: string | null,
  why = "clients without a token may only read and keep the registry",
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
