/**
 * Decides before the 101 whether a client may connect, by Host, Origin and token.
 *
 * A browser opens a WebSocket to any address for any page. Without the Origin check every page could control a
 * server on the loopback interface; without the Host check a page could do so through a DNS name that it
 * points at 127.0.0.1 after it was loaded (DNS rebinding).
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import { MAX_TOKEN_LENGTH } from "../limits.ts";
import { TOKEN_SUBPROTOCOL_PREFIX } from "../../protocol/messages.ts";
import { isLoopback } from "./addresses.ts";
import { urlOf } from "../http/http_errors.ts";
import { anonymousRefusal, type Client } from "./rights.ts";
import { type TokenOptions, TokenSet } from "./tokens.ts";

/** What clients that send no token may do. */
export type AnonymousAccess = "refused" | "registry" | "full";

/** Options for {@linkcode Authenticator}. */
export interface AuthOptions extends TokenOptions {
  /**
   * Clients that send no token: `refused`; `registry`, where they may read and keep the registry, and only
   * that; or `full`. On an address that other machines reach, `registry` is `refused`.
   *
   * @default {"refused" with tokens, "registry" without}
   */
  anonymous?: AnonymousAccess;
  /** The file with the full token, named in the error for clients that sent none. */
  tokenFile?: string;
  /** Origins (`https://ops.example.com`) allowed besides the server's own host; `*` = any. */
  allowOrigins?: readonly string[];
  /** Host names allowed besides loopback names and IP addresses; `*` = any. */
  allowHosts?: readonly string[];
}

/** Headers by which proxies mark a request as forwarded. */
const FORWARDING_HEADERS =
  /^(forwarded|via|x-(original-)?forwarded(-.*)?|x-real-ip|x-(cluster-)?client-ip|x-envoy-external-address|(true-client|cf-connecting|fly-client|fastly-client)-ip)$/;

/** Checks Host, Origin and token of a request. */
export class Authenticator {
  readonly #tokens: TokenSet;
  readonly #origins: ReadonlySet<string>;
  readonly #hosts: ReadonlySet<string>;
  readonly #anonymous: AnonymousAccess;
  /** The file with the full token, or `null` where unknown. */
  readonly tokenFile: string | null;

  /** Only digests of the tokens are kept. */
  constructor(options: AuthOptions = {}) {
    this.#tokens = new TokenSet(options);
    this.#origins = new Set(
      (options.allowOrigins ?? []).map((o) => o.toLowerCase().replace(/\/$/, "")),
    );
    this.#hosts = new Set((options.allowHosts ?? []).map((host) => host.toLowerCase()));
    this.#anonymous = options.anonymous ?? (this.required ? "refused" : "registry");
    this.tokenFile = options.tokenFile ?? null;
  }

  /** Whether there is a token. */
  get required(): boolean {
    return this.#tokens.size > 0;
  }

  /** Replaces the tokens: connections whose token is gone or changed are closed. */
  setTokens(tokens: TokenOptions): void {
    this.#tokens.replace(tokens);
  }

  /** Stops watching for tokens that expire. */
  close(): void {
    this.#tokens.close();
  }

  /**
   * Returns the client that sent a request, with its rights.
   *
   * @param address The peer's IP address. Left out: a loopback address.
   * @throws {HarnessError} `forbidden` for a foreign Host or Origin, `unauthorized` for a missing or
   * wrong token.
   */
  check(request: Request, address?: string): Client {
    this.#checkHost(request);
    this.#checkOrigin(request);
    return this.#checkToken(request, address);
  }

  #checkHost(request: Request): void {
    const host = hostOf(request);
    const name = host.replace(/:\d*$/, "");
    if (this.#hosts.has("*") || this.#hosts.has(name) || this.#hosts.has(host)) return;
    // Rebinding needs a name: an address in the Host header cannot have been rebound.
    if (/^(([a-z0-9_-]+\.)*localhost|\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]+\])$/.test(name)) return;
    throw new HarnessError(
      "forbidden",
      `Cannot accept the request: the host "${
        host.slice(0, 128)
      }" is not one of this server's, use --allow-host if it is`,
    );
  }

  #checkOrigin(request: Request): void {
    const origin = request.headers.get("origin")?.toLowerCase();
    if (origin === undefined || this.#origins.has("*") || this.#origins.has(origin)) return;
    if (isSameHost(origin, hostOf(request))) return;
    throw new HarnessError(
      "forbidden",
      `Cannot accept the request: the origin "${
        origin.slice(0, 128)
      }" is not allowed, use --allow-origin if it is yours`,
    );
  }

  #checkToken(request: Request, address: string | undefined): Client {
    const token = tokenOf(request);
    if (token === null) return this.#withoutToken(request, address);
    // Where everybody has full access, tokens are ignored.
    if (!this.required && this.#anonymous === "full") return FULL_ANONYMOUS;
    return this.#tokens.clientOf(token);
  }

  #withoutToken(request: Request, address: string | undefined): Client {
    if (this.#anonymous === "full") return FULL_ANONYMOUS;
    if (this.#anonymous === "registry") {
      const whence = address !== undefined && !isLoopback(address)
        ? "from another machine"
        : forwarded(request);
      if (whence === null) return { access: "anonymous", by: "anonymous" };
      throw anonymousRefusal(
        "accept the request",
        this.tokenFile,
        `it came ${whence}, and only clients on this machine need no token`,
      );
    }
    throw new HarnessError(
      "unauthorized",
      `Cannot accept the request: a token is needed; send it as "Authorization: Bearer <token>" or as the subprotocol "${TOKEN_SUBPROTOCOL_PREFIX}<base64url>"`,
    );
  }
}

/**
 * How a request shows that a proxy or tunnel on this machine has passed it on, which makes every sender appear
 * local: by a header for the client's address, or by a host name that others use. `null` where it shows nothing.
 */
function forwarded(request: Request): string | null {
  const via = [...request.headers.keys()].find((name) => FORWARDING_HEADERS.test(name));
  if (via !== undefined) return `through a proxy (${via})`;
  const name = hostOf(request).replace(/:\d*$/, "");
  if (isLoopback(name) || name.endsWith(".localhost")) return null;
  return `for the host "${name.slice(0, 128)}"`;
}

/** The client of a server where everybody has full access. */
const FULL_ANONYMOUS: Client = { access: "full", by: "anonymous" };

/** The subprotocols that a request offers. */
export function offeredProtocols(request: Request): string[] {
  const header = request.headers.get("sec-websocket-protocol") ?? "";
  return header.split(",").map((word) => word.trim()).filter((word) => word !== "");
}

function tokenOf(request: Request): string | null {
  const header = request.headers.get("authorization");
  if (header !== null) {
    const match = /^bearer +([^ ]+) *$/i.exec(header);
    return match?.[1] ?? "";
  }
  const offered = offeredProtocols(request).find((p) => p.startsWith(TOKEN_SUBPROTOCOL_PREFIX));
  return offered === undefined
    ? null
    : decodeBase64Url(offered.slice(TOKEN_SUBPROTOCOL_PREFIX.length));
}

function decodeBase64Url(text: string): string {
  if (text.length > MAX_TOKEN_LENGTH * 2 || !/^[A-Za-z0-9_-]*=*$/.test(text)) return "";
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/").replaceAll("=", ""));
    return new TextDecoder().decode(Uint8Array.from(binary, (char) => char.charCodeAt(0)));
  } catch {
    return ""; // a wrong token: the caller reports it
  }
}

function hostOf(request: Request): string {
  // HTTP/2 has the host in the URL only.
  return (request.headers.get("host") ?? urlOf(request).host).toLowerCase();
}

function isSameHost(origin: string, host: string): boolean {
  if (!URL.canParse(origin)) return false; // "null", from a sandboxed page or a file
  const url = new URL(origin);
  const standardPort = url.protocol === "https:" ? /:443$/ : /:80$/;
  return (url.protocol === "http:" || url.protocol === "https:") &&
    url.host === host.replace(standardPort, "");
}
