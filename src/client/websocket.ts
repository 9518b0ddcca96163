/**
 * Opens WebSockets, and sends the token with the handshake.
 *
 * Every constructor that follows the standard works: the global one of Deno, Node, Bun and browsers, and that of
 * `npm:ws`.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import { SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX } from "../protocol/messages.ts";

/** The part of a WebSocket that the client uses. */
export interface WebSocketLike {
  /** The subprotocol that the server chose. */
  readonly protocol: string;
  /** Sends a text frame. */
  send(data: string): void;
  /** Starts the closing handshake. */
  close(code?: number, reason?: string): void;
  /** Drops the connection at once, where the implementation can (`npm:ws`, Bun). */
  terminate?(): void;
  /** Calls `listener` for each event of a type: `open`, `message`, `error` or `close`. */
  addEventListener(type: string, listener: (event: unknown) => void): void;
}

/** A WebSocket class: the global one, or that of `npm:ws`. */
export type WebSocketConstructor = new (url: string, protocols?: string[]) => WebSocketLike;

/** How the token is sent: `header` is `Authorization: Bearer`, `subprotocol` is what browsers can do. */
export type TokenTransport = "header" | "subprotocol";

/** Options for {@linkcode openSocket}. */
export interface SocketOptions {
  /** The WebSocket class. @default {globalThis.WebSocket} */
  webSocket?: WebSocketConstructor | undefined;
  /** The token. */
  token?: string | undefined;
  /** How the token is sent. @default {by header where the class takes headers} */
  tokenTransport?: TokenTransport | undefined;
  /** More request headers, where the class takes headers. */
  headers?: Record<string, string> | undefined;
  /**
   * Finds out why the server refused a handshake; give it with `webSocket`, with the same TLS settings.
   *
   * @default {the global one, where `webSocket` is left out}
   */
  fetch?: typeof fetch | undefined;
}

/** How a WebSocket class takes request headers: in the second argument, in a third one, or not at all. */
type HeaderStyle = "second" | "third" | "none";

/** Any of these classes. */
type AnyConstructor = new (url: string, second?: unknown, third?: unknown) => WebSocketLike;

/** Starts opening a WebSocket that offers `harness.v1`. */
export function openSocket(url: string, options: SocketOptions = {}): WebSocketLike {
  const constructor = options.webSocket ??
    (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
  if (constructor === undefined) {
    throw new HarnessError(
      "unavailable",
      "Cannot open a WebSocket: this runtime has none; set webSocket, for example to that of npm:ws",
    );
  }
  const style = headerStyle(constructor, options.webSocket === undefined);
  const protocols = [SUBPROTOCOL];
  const headers: Record<string, string> = { ...options.headers };
  if (options.token !== undefined) {
    const transport = options.tokenTransport ?? (style === "none" ? "subprotocol" : "header");
    if (transport === "header") headers["authorization"] = `Bearer ${options.token}`;
    else protocols.push(TOKEN_SUBPROTOCOL_PREFIX + base64Url(options.token));
  }
  return construct(constructor, style, url, protocols, headers);
}

function construct(
  constructor: WebSocketConstructor,
  style: HeaderStyle,
  url: string,
  protocols: string[],
  headers: Record<string, string>,
): WebSocketLike {
  if (Object.keys(headers).length === 0) return new constructor(url, protocols);
  const any = constructor as AnyConstructor;
  if (style === "second") return new any(url, { protocols, headers });
  if (style === "third") return new any(url, protocols, { headers });
  throw new HarnessError(
    "unavailable",
    "Cannot send request headers: this WebSocket class takes none; leave out headers and tokenTransport",
  );
}

/** Uses web standards only: the user agent, and that the class of `npm:ws` is an event emitter. */
function headerStyle(constructor: WebSocketConstructor, isGlobal: boolean): HeaderStyle {
  const methods: object = constructor.prototype;
  if ("on" in methods && "terminate" in methods) return "third";
  const isTheGlobal = isGlobal ||
    constructor === (globalThis as { WebSocket?: unknown }).WebSocket;
  const agent = (globalThis as { navigator?: { userAgent?: string } }).navigator?.userAgent ?? "";
  return isTheGlobal && /^(Deno|Bun|Node\.js)\//.test(agent) ? "second" : "none";
}

/** Base64 for a subprotocol name: no `+`, `/` or `=`, which are not token characters. */
function base64Url(text: string): string {
  let binary = "";
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** `ws:` or `wss:` for `http:` or `https:`; refuses other schemes and URLs with credentials. */
export function webSocketUrl(url: string | URL): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new HarnessError(
      "invalid_params",
      `Cannot connect to "${url}": not a URL; write it as ws://host:port`,
    );
  }
  if (parsed.protocol === "http:") parsed.protocol = "ws:";
  if (parsed.protocol === "https:") parsed.protocol = "wss:";
  if (parsed.protocol !== "ws:" && parsed.protocol !== "wss:") {
    throw new HarnessError(
      "invalid_params",
      `Cannot connect to a ${parsed.protocol} URL: write it as ws://host:port or wss://host:port`,
    );
  }
  if (parsed.username !== "" || parsed.password !== "") {
    throw new HarnessError(
      "invalid_params",
      "Cannot connect to a URL with a password; pass the token separately",
      { details: { reason: "url_password" } },
    );
  }
  parsed.hash = "";
  return parsed.href;
}
