/**
 * A listening server: a {@linkcode Gate} behind a listener, which loads what is behind the gate.
 *
 * @module
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { getLogger } from "../util/log.ts";
import { HarnessError } from "../errors.ts";
import { HEADERS_TIMEOUT_MS, HTTP_CLOSE_TIMEOUT_MS } from "./limits.ts";
import type { Gate, HandlerOptions } from "./gate.ts";
import type { Listener, ListenerName, ListenOptions, WarmUpOptions } from "./listeners/listener.ts";
import { listen } from "./listeners/node_listener.ts";
import { isLoopback } from "./access/addresses.ts";
import type { TokenOptions } from "./access/tokens.ts";

/** Options for `serve()`. */
export interface ServeOptions extends HandlerOptions {
  /** Address to listen on. @default {"127.0.0.1"} */
  hostname?: string;
  /** Port; 0 takes a free one. @default {8080} */
  port?: number;
  /** Certificate and key, PEM. Left out: no TLS. */
  tls?: { cert: string; key: string };
  /** Both names mean the same listener; the option is there for programs that give it. */
  listener?: ListenerName;
  /** Time to send all request headers. @default {10_000} */
  headersTimeoutMs?: number;
  /**
   * Gives everybody full access without a token, other machines too. Otherwise clients that send none may read and
   * keep the registry where there is no token, and nothing where there is one: see `auth.anonymous`.
   *
   * @default {false}
   */
  allowUnauthenticated?: boolean;
}

/** A running server. */
export interface WsServer extends AsyncDisposable {
  /** `ws://` or `wss://` address of this server, without a path. */
  readonly url: string;
  /** Host it listens on. */
  readonly hostname: string;
  /** Port it listens on. */
  readonly port: number;
  /** Number of open connections. */
  readonly connections: number;
  /**
   * Replaces the tokens and nothing else. Connections whose token is gone or changed are closed with 4401.
   */
  setTokens(tokens: TokenOptions): void;
  /**
   * Uses another certificate and key for new connections; those that are open keep theirs.
   *
   * @throws {HarnessError} `invalid_params` for a bad one, which changes nothing; `unavailable` on a server without
   * TLS, and on Bun.
   */
  setTls(tls: { cert: string; key: string }): void;
  /**
   * Loads what the first client would wait for, some 70 ms of work and 16 MB, while nobody waits.
   *
   * @throws {Error} where that fails, for want of a free file descriptor for instance. Deno does not try a second time to
   * load a module, so that the server then needs another process.
   */
  warmUp(options?: {
    /** The rules of requests too, most of it. @default {true} */
    rules?: boolean;
  }): Promise<void>;
  /** Stops accepting, notifies the clients, and ends within 5 s even with stuck peers. Idempotent. */
  shutdown(reason?: string): Promise<void>;
}

const DEFAULT_PORT = 8080;

/** Listens, with what `makeGate` makes of its part of the options. See `serve()`. */
export async function openServer(
  options: ServeOptions,
  makeGate: (options: HandlerOptions) => Gate,
): Promise<WsServer> {
  const { hostname = "127.0.0.1", port = DEFAULT_PORT, tls } = options;
  const handler = makeGate({ ...options, auth: authFor(hostname, options) });
  let listener: Listener;
  try {
    checkExposure(hostname, handler, options.allowUnauthenticated === true);
    checkTls(tls);
    const { headersTimeoutMs = HEADERS_TIMEOUT_MS } = options;
    const listenOptions: ListenOptions = {
      hostname,
      port,
      headersTimeoutMs,
      ...(tls === undefined ? {} : { tls }),
    };
    listener = await listen(handler, listenOptions);
  } catch (error) {
    await handler.shutdown();
    throw error;
  }
  return new RunningServer(handler, listener, hostname, tls === undefined ? "ws" : "wss");
}

class RunningServer implements WsServer {
  readonly url: string;
  readonly hostname: string;
  readonly port: number;
  readonly #handler: Gate;
  readonly #listener: Listener;
  #shutdown: Promise<void> | null = null;

  constructor(handler: Gate, listener: Listener, hostname: string, scheme: string) {
    const host = hostname.includes(":") ? `[${hostname}]` : hostname;
    this.url = `${scheme}://${host}:${listener.port}`;
    this.hostname = hostname;
    this.port = listener.port;
    this.#handler = handler;
    this.#listener = listener;
  }

  get connections(): number {
    return this.#handler.connections;
  }

  setTokens(tokens: TokenOptions): void {
    this.#handler.auth.setTokens(tokens);
  }

  setTls(tls: { cert: string; key: string }): void {
    checkTls(tls);
    this.#listener.setTls(tls);
  }

  warmUp(options: WarmUpOptions = {}): Promise<void> {
    return this.#listener.warmUp(options);
  }

  shutdown(reason?: string): Promise<void> {
    this.#shutdown ??= this.#end(reason);
    return this.#shutdown;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }

  async #end(reason: string | undefined): Promise<void> {
    await this.#handler.shutdown(reason);
    await this.#listener.close(HTTP_CLOSE_TIMEOUT_MS);
    getLogger(["harness", "server"]).info("Server on {url} has shut down", { url: this.url });
  }
}

/** With tokens, a server for other machines accepts any Host: it cannot know the names that they use. */
function authFor(
  hostname: string,
  { auth = {}, allowUnauthenticated = false }: ServeOptions,
): NonNullable<ServeOptions["auth"]> {
  const { tokens = [], readTokens = [], namedTokens = [] } = auth;
  const hasToken = tokens.length + readTokens.length + namedTokens.length > 0;
  const any = hasToken && !isLoopback(hostname) && auth.allowHosts === undefined;
  const allowHosts = any ? ["*"] : [...(auth.allowHosts ?? []), hostname];
  if (allowUnauthenticated) return { ...auth, allowHosts, anonymous: "full" };
  // Without a token, only clients on this machine get any access.
  if (auth.anonymous === undefined || isLoopback(hostname)) return { ...auth, allowHosts };
  return { ...auth, allowHosts, anonymous: "refused" };
}

function checkExposure(hostname: string, handler: Gate, allowed: boolean): void {
  if (isLoopback(hostname) || handler.auth.required || allowed) return;
  throw new HarnessError(
    "forbidden",
    `Cannot listen on ${hostname}: other machines reach it and there is no token; give one or use --allow-unauthenticated`,
  );
}

/** Checked here, since the listener accepts invalid PEM silently and then fails every handshake. */
function checkTls(tls: ServeOptions["tls"]): void {
  if (tls === undefined) return;
  try {
    const certificate = new X509Certificate(tls.cert);
    if (certificate.checkPrivateKey(createPrivateKey(tls.key))) return;
  } catch (cause) {
    throw new HarnessError(
      "invalid_params",
      "Cannot use the TLS certificate: certificate and key must be PEM files",
      { cause, details: { reason: "tls" } },
    );
  }
  throw new HarnessError(
    "invalid_params",
    "Cannot use the TLS certificate: the key does not match it",
    { details: { reason: "tls" } },
  );
}
