/**
 * The tokens of a server: their rights, scopes and expiry, and the signal that fires when one is revoked.
 *
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { HarnessError } from "../../errors.ts";
import { MAX_TOKEN_LENGTH } from "../limits.ts";
import type { Client, TokenRights } from "./rights.ts";
import { ServiceScope } from "./scope.ts";

/** A token with a name. */
export interface NamedToken {
  /** Name for records and logs. */
  name: string;
  /** SHA-256 of the token, 64 lower-case hex digits. */
  sha256: string;
  /** What it may do. */
  rights: TokenRights;
  /** Names and globs of the services that it is limited to. @default {all services} */
  services?: readonly string[];
  /** When it expires, in milliseconds since 1970. @default {never} */
  expiresAt?: number;
}

/** The tokens of a server. */
export interface TokenOptions {
  /** Tokens with full access. */
  tokens?: readonly string[];
  /** Tokens that may only read and subscribe. */
  readTokens?: readonly string[];
  /** Tokens with a name, known by their hash. */
  namedTokens?: readonly NamedToken[];
}

/** Clock poll interval while a token is going to expire: the clock may be set. */
const EXPIRY_CHECK_MS = 30_000;

interface KnownToken {
  /** Identity of the token: everything that must be equal for it to be the same. */
  readonly key: string;
  readonly digest: Uint8Array;
  readonly client: Client;
  readonly expiresAt: number;
  readonly revocation: AbortController;
}

/** Tokens by digest; the tokens themselves are not kept. */
export class TokenSet {
  #known: readonly KnownToken[];
  readonly #now: () => number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  /** Takes the tokens; `now` is the clock. */
  constructor(options: TokenOptions, now: () => number = Date.now) {
    this.#known = knownTokens(options);
    this.#now = now;
    this.#schedule();
  }

  /** Number of tokens. */
  get size(): number {
    return this.#known.length;
  }

  /**
   * Returns the client of a token.
   *
   * @throws {HarnessError} `unauthorized` for an unknown or expired token.
   */
  clientOf(token: string): Client {
    const digest = digestOf(token);
    let found: KnownToken | null = null;
    // Every token is compared, so that timing does not reveal which one is close.
    for (const known of this.#known) {
      if (timingSafeEqual(digest, known.digest) && found?.client.access !== "full") found = known;
    }
    if (found === null) {
      throw new HarnessError("unauthorized", "Cannot accept the request: the token is wrong");
    }
    if (found.expiresAt <= this.#now()) throw expired();
    return found.client;
  }

  /** Replaces the tokens; the signal of a client whose token is gone or changed fires at once. */
  replace(options: TokenOptions): void {
    const next = knownTokens(options);
    const before = new Map(this.#known.map((token) => [token.key, token]));
    this.#known = next.map((token) => before.get(token.key) ?? token);
    const kept = new Set(this.#known);
    for (const token of before.values()) {
      if (kept.has(token)) continue;
      const changed = this.#known.some(({ digest }) => timingSafeEqual(digest, token.digest));
      token.revocation.abort(changed ? changedRights() : revoked());
    }
    this.#schedule();
  }

  /** Stops polling the clock. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    const now = this.#now();
    let next = Infinity;
    for (const { expiresAt, revocation } of this.#known) {
      if (expiresAt > now) next = Math.min(next, expiresAt - now);
      else if (!revocation.signal.aborted) revocation.abort(expired());
    }
    if (next === Infinity) return;
    this.#timer = setTimeout(() => this.#schedule(), Math.min(next, EXPIRY_CHECK_MS));
  }
}

function knownTokens({ tokens, readTokens, namedTokens }: TokenOptions): KnownToken[] {
  return [
    ...(tokens ?? []).map((token) => known(digestOf(token), { access: "full", by: "token" })),
    ...(readTokens ?? []).map((token) =>
      known(digestOf(token), { access: "read", by: "read-token" })
    ),
    ...(namedTokens ?? []).map(({ name, sha256, rights, services, expiresAt }) => {
      const scope = services === undefined ? {} : { scope: new ServiceScope(services) };
      const digest = Uint8Array.from(sha256.match(/../g) ?? [], (hex) => parseInt(hex, 16));
      return known(digest, { access: rights, by: name, ...scope }, expiresAt);
    }),
  ];
}

function known(
  digest: Uint8Array,
  client: Pick<Client, "access" | "by" | "scope">,
  expiresAt = Infinity,
): KnownToken {
  if (digest.length !== DIGEST_BYTES) {
    throw new HarnessError(
      "invalid_params",
      `Cannot use the token ${client.by}: its sha256 must be ${DIGEST_BYTES * 2} hex digits`,
    );
  }
  const revocation = new AbortController();
  const { access, by, scope } = client;
  return {
    key: JSON.stringify([[...digest], access, by, scope?.patterns ?? null, String(expiresAt)]),
    digest,
    client: { ...client, revoked: revocation.signal },
    expiresAt,
    revocation,
  };
}

const DIGEST_BYTES = 32;

/** Digests have one length, which a constant-time comparison needs. */
function digestOf(token: string): Uint8Array {
  return createHash("sha256").update(token.slice(0, MAX_TOKEN_LENGTH)).digest();
}

function expired(): HarnessError {
  return new HarnessError(
    "unauthorized",
    "Cannot accept the request: the token has expired; ask for a new one",
    { details: { reason: "token_expired" } },
  );
}

function revoked(): HarnessError {
  return new HarnessError(
    "unauthorized",
    "Cannot accept the request: the token is no longer valid",
    { details: { reason: "token_revoked" } },
  );
}

function changedRights(): HarnessError {
  return new HarnessError(
    "unauthorized",
    "Cannot continue: the token's rights have changed; connect again",
    { details: { reason: "token_changed" } },
  );
}

/** The close reason for a connection, from the reason of its token's signal. */
export function revocationText(reason: unknown): string {
  switch (reason instanceof HarnessError ? reason.details?.["reason"] : undefined) {
    case "token_expired":
      return "the token has expired";
    case "token_changed":
      return "the token's rights have changed: reconnect";
    default:
      return "the token is no longer valid";
  }
}
