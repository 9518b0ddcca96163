/**
 * Who may connect, and the answers to plain HTTP. What serves open sockets is given to it, so that a start of the server
 * need not wait until that is loaded.
 *
 * @module
 */
import { DEFAULT_SERVER_LIMITS, resolveLimits, type ServerLimits } from "../model/server_limits.ts";
import { getLogger } from "../util/log.ts";
import { HarnessError } from "../errors.ts";
import { CLOSE_TIMEOUT_MS } from "./limits.ts";
import { CLOSE_CODES } from "../protocol/messages.ts";
import type { Registry } from "../registry/registry.ts";
import { AddressCounts, addressKey, isLoopback } from "./access/addresses.ts";
import type { AuditSink } from "./access/audit.ts";
import { Authenticator, type AuthOptions } from "./access/auth.ts";
import { AuthBackoff } from "./access/auth_backoff.ts";
import type { Deployments, Packages, Services } from "./backends.ts";
import type { Connection, ConnectionHost } from "./connection/client_connection.ts";
import { errorResponse, notLoaded } from "./http/http_errors.ts";
import { LogLimiter } from "./access/log_limiter.ts";
import type { ConnectionEvents, ServerSocket } from "./connection/server_socket.ts";
import { Turns } from "./connection/turns.ts";
import { TrustedProxies } from "./access/trusted_proxies.ts";
import type { VouchedEntries } from "./access/vouched_entries.ts";
import { type Admission, decideUpgrade, type UpgradeDecision } from "./access/upgrade.ts";
import { sleep } from "../util/async.ts";

/** What is served to whom. */
export interface HandlerOptions {
  /** The registry to serve. The handler does not close it. */
  registry: Registry;
  /** Starts, stops and reads logs. Left out: those actions answer `unavailable`. */
  services?: Services;
  /** Deploys. Left out: those actions answer `unavailable`. */
  deployments?: Deployments;
  /** Holds packages. Left out: those actions answer `unavailable`. */
  packages?: Packages;
  /** Which entries were registered with the token. @default {all count as such} */
  vouched?: VouchedEntries;
  /** Receives what clients change. @default {none} */
  audit?: AuditSink;
  /** Tokens, and the hosts and origins allowed besides the server's own. */
  auth?: AuthOptions;
  /**
   * Addresses and networks of proxies whose `X-Forwarded-For` names the client, for limits and the audit log.
   *
   * @default {none: the address is that of the TCP connection}
   */
  trustedProxies?: readonly string[];
  /** Limits that differ from the defaults. */
  limits?: Partial<ServerLimits>;
}

/** Poll interval of a shutdown that waits for its connections. */
const SHUTDOWN_POLL_MS = 10;

/** What serves open sockets. */
export interface OpenClients {
  /** Serves one. */
  open(socket: ServerSocket, admission: Admission): Connection;
  /** Stops listening to the registry. */
  close(): void;
}

/** What connections get from where they were let in. */
export type SharedParts = Pick<
  ConnectionHost,
  "tokenFile" | "turns" | "limits" | "signal" | "draining" | "onGone" | "onClosing"
>;

/** Makes what serves open sockets. */
export type MakeClients = (options: HandlerOptions, shared: SharedParts) => OpenClients;

type HttpHandler = typeof import("./http/http_handler.ts");

/** Lets clients in, and counts them. */
export class Gate implements AsyncDisposable {
  /** Host, Origin and token checks. */
  readonly auth: Authenticator;
  /** The limits in force. */
  readonly limits: ServerLimits;
  readonly #options: HandlerOptions;
  readonly #turns = new Turns();
  /** What serves open sockets, once there is something. */
  #clients: OpenClients | null = null;
  /** What answers requests without an upgrade, once somebody needs it. */
  #http: Promise<HttpHandler> | null = null;
  readonly #connections = new Map<Connection, Admission>();
  /** Accepted, but the runtime has not opened the socket yet. */
  readonly #admitted = new Set<Admission>();
  /** Connections per address, and how a connection releases its slot. */
  readonly #ofAddress = new AddressCounts();
  readonly #places = new WeakMap<Admission, { address: string; leave: () => void }>();
  readonly #backoff = new AuthBackoff();
  readonly #proxies: TrustedProxies;
  readonly #closings = new LogLimiter();
  readonly #aborter = new AbortController();
  #shutdown: Promise<void> | null = null;

  /** Open at once; {@linkcode serveWith} comes before the first {@linkcode open}. */
  constructor(options: HandlerOptions) {
    this.#options = options;
    this.auth = new Authenticator(options.auth);
    this.#proxies = new TrustedProxies(options.trustedProxies);
    this.limits = resolveLimits(options.limits);
  }

  /**
   * Serves open sockets with what `make` makes, unless there is something already.
   *
   * @internal
   */
  serveWith(make: MakeClients): void {
    if (this.#clients !== null) return;
    this.#clients = make(this.#options, this.#shared());
    // Loaded until after the end, which had nothing to close.
    if (this.#aborter.signal.aborted) this.#clients.close();
  }

  /** Connections that hold a socket, including those that do not finish closing. */
  get connections(): number {
    return this.#connections.size + this.#admitted.size;
  }

  /** Whether the server is shutting down. */
  get draining(): boolean {
    return this.#shutdown !== null;
  }

  /**
   * Decides on a WebSocket upgrade. An accepted one takes a slot until its socket is gone, so
   * {@linkcode open} or {@linkcode abandon} must follow.
   *
   * @param peer The peer's IP address. Left out: nothing is counted per address.
   */
  checkUpgrade(request: Request, peer?: string): UpgradeDecision {
    const address = this.#proxies.clientOf(request, peer);
    const refusal = this.#refusal();
    if (refusal !== null) return { ok: false, response: errorResponse(refusal) };
    const key = address === undefined ? null : addressKey(address);
    if (key !== null && this.#ofAddress.of(key) >= this.maxConnectionsOf(key)) {
      return { ok: false, response: errorResponse(this.#tooManyOf(key)) };
    }
    const decision = decideUpgrade(request, this.#doorFor(address));
    if (decision.ok) {
      this.#admitted.add(decision.admission);
      if (key !== null) {
        this.#places.set(decision.admission, { address: key, leave: this.#ofAddress.add(key) });
      }
    }
    return decision;
  }

  /**
   * The connection limit of an address. All clients on one machine share the loopback addresses, so these have
   * no limit of their own unless one was set; nor has a trusted proxy, whose clients are counted.
   */
  maxConnectionsOf(key: string): number {
    if (this.#proxies.has(key)) return Infinity;
    const { maxConnectionsPerAddress: max } = this.limits;
    return isLoopback(key) && max === DEFAULT_SERVER_LIMITS.maxConnectionsPerAddress
      ? Infinity
      : max;
  }

  /** Releases the slot of an accepted upgrade whose socket never opened. */
  abandon(admission: Admission): void {
    this.#admitted.delete(admission);
    this.#places.get(admission)?.leave();
  }

  /**
   * Loads what answers requests without an upgrade.
   *
   * @internal
   */
  loadHttp(): Promise<HttpHandler> {
    return this.#http ??= import("./http/http_handler.ts").catch((error) => {
      throw notLoaded("what answers HTTP requests", error);
    });
  }

  /**
   * Answers a request without an upgrade. Never throws.
   *
   * @param peer The peer's IP address. Left out: nothing is counted per address.
   */
  async respond(request: Request, peer?: string): Promise<Response> {
    try {
      const address = this.#proxies.clientOf(request, peer);
      const { respond } = await this.loadHttp();
      return await respond(request, {
        backends: this.#options,
        auth: this.#doorFor(address),
        draining: this.draining,
        address,
        stallMs: this.limits.transferStallTimeoutMs,
      });
    } catch (error) {
      return errorResponse(error);
    }
  }

  /**
   * Takes an open socket, sends `hello`, and serves it until `onClose()`.
   *
   * @param admission The result of {@linkcode checkUpgrade}. @default {full access}
   */
  open(
    socket: ServerSocket,
    admission: Admission = { access: "full", by: "embedder", protocol: null },
  ): ConnectionEvents {
    if (this.#clients === null) throw new Error("nothing serves open sockets yet");
    this.#admitted.delete(admission);
    const connection = this.#clients.open(socket, admission);
    this.#connections.set(connection, admission);
    if (this.draining) connection.close(CLOSE_CODES.shutdown, "server is shutting down");
    return connection;
  }

  /**
   * Notifies all clients, lets requests finish, closes all connections and drops peers that do not close.
   * Ends within `limits.shutdownTimeoutMs`. Idempotent.
   */
  shutdown(reason = "server is shutting down"): Promise<void> {
    this.#shutdown ??= this.#drain(reason);
    return this.#shutdown;
  }

  /** Shuts down. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }

  #shared(): SharedParts {
    const isDraining = () => this.draining;
    return {
      tokenFile: this.auth.tokenFile,
      turns: this.#turns,
      limits: this.limits,
      signal: this.#aborter.signal,
      get draining() {
        return isDraining();
      },
      onGone: (connection) => {
        const admission = this.#connections.get(connection);
        this.#connections.delete(connection);
        if (admission !== undefined) this.#places.get(admission)?.leave();
      },
      onClosing: (connection, code, reason) => this.#logClosing(connection, code, reason),
    };
  }

  async #drain(reason: string): Promise<void> {
    const end = performance.now() + this.limits.shutdownTimeoutMs;
    for (const connection of this.#connections.keys()) connection.announceDraining(reason);
    await until(() => this.#every((connection) => connection.idle), end - CLOSE_TIMEOUT_MS);
    for (const connection of this.#connections.keys()) {
      connection.close(CLOSE_CODES.shutdown, "server is shutting down");
    }
    await until(() => this.#connections.size === 0, performance.now() + CLOSE_TIMEOUT_MS);
    for (const connection of this.#connections.keys()) connection.terminate();
    this.#aborter.abort();
    this.#clients?.close();
    this.#turns.close();
    this.auth.close();
  }

  /** Logs one line per address, code and minute: a client that reconnects in a loop must not fill the log. */
  #logClosing(connection: Connection, code: number, reason: string): void {
    const admission = this.#connections.get(connection);
    const place = admission === undefined ? undefined : this.#places.get(admission);
    const address = place?.address ?? "an unknown address";
    const count = this.#closings.note(`${address} ${code}`);
    if (count === null) return;
    getLogger(["harness", "server"]).info(
      "Closed a connection of {address}, {code}: {reason} ({count} times since the last such line)",
      { address, code, reason, count },
    );
  }

  /** Runs the checks of a request, with the backoff of its address. */
  #doorFor(address: string | undefined): Pick<Authenticator, "check" | "tokenFile"> {
    return {
      tokenFile: this.auth.tokenFile,
      check: (request) => {
        const client = this.#backoff.check(
          request,
          address,
          () => this.auth.check(request, address),
        );
        return address === undefined ? client : { ...client, address };
      },
    };
  }

  #tooManyOf(key: string): HarnessError {
    const max = this.maxConnectionsOf(key);
    return new HarnessError(
      "rate_limited",
      `Too many connections from your address (limit ${max}); close some of them`,
      { details: { reason: "connections_per_address", max_connections_per_address: max } },
    );
  }

  #refusal(): HarnessError | null {
    if (this.draining) {
      return new HarnessError("unavailable", "Cannot connect: the server is shutting down");
    }
    if (this.connections < this.limits.maxConnections) return null;
    return new HarnessError(
      "unavailable",
      `Too many connections to the server (limit ${this.limits.maxConnections}); try again later`,
    );
  }

  #every(test: (connection: Connection) => boolean): boolean {
    for (const connection of this.#connections.keys()) {
      if (!test(connection)) return false;
    }
    return true;
  }
}

/** Polls until `done()`, or until `performance.now()` reaches `end`. */
async function until(done: () => boolean, end: number): Promise<void> {
  while (!done() && performance.now() < end) {
    await sleep(SHUTDOWN_POLL_MS);
  }
}
