/**
 * One client connection: requests in, responses and events out, over a {@linkcode ServerSocket}.
 *
 * @module
 */
import type { ServerLimits } from "../../model/server_limits.ts";
import { getLogger } from "../../util/log.ts";
import { HarnessError, toHarnessError } from "../../errors.ts";
import { LARGE_ANSWER_BYTES, RECONNECT_AFTER_MS, TERMINATE_AFTER_MS } from "../limits.ts";
import type { Action, ActionData, ActionParams } from "../../protocol/actions.ts";
import {
  encodeDataText,
  encodeError,
  encodeNotice,
  type ParsedRequest,
  parseRequest,
  type ResponseId,
} from "../../protocol/codec.ts";
import { CLOSE_CODES } from "../../protocol/messages.ts";
import { salvageId } from "../../protocol/id_recovery.ts";
import type { EventHead } from "../../registry/filter.ts";
import type { ActionBackends, ActionContext } from "../actions/action_handler.ts";
import { Answer } from "./answers.ts";
import { auditEntry } from "../access/audit.ts";
import { ConnectionSubscriptions } from "./subscribe.ts";
import { type FloodGuard, type PeerMessages, TokenBucket } from "./flood_guard.ts";
import type { EventFanout, Subscriber } from "./event_fanout.ts";
import type { LogStreams } from "../services/service_logs.ts";
import { helloText } from "./hello.ts";
import { Inbox, type InboxSpace, type Message } from "./inbox.ts";
import { Outbox, SendQueue } from "./send_queue.ts";
import { type Access, type Client, hasRight, requireRight } from "../access/rights.ts";
import type { ServiceScope } from "../access/scope.ts";
import type { ConnectionEvents, ServerSocket } from "./server_socket.ts";
import { isRecorded, requestRules, rulesLoading } from "./request_rules.ts";
import { revocationText } from "../access/tokens.ts";
import type { Turns } from "./turns.ts";
import { isLarger } from "../../util/units.ts";

/** What a client asks for. */
type Request = Extract<ParsedRequest, { ok: true }>;

/** The parts that all connections of a server share. */
export interface ConnectionHost {
  /** Registry and backends. */
  readonly backends: ActionBackends;
  /** Path of the full token's file, for clients that sent no token. */
  readonly tokenFile: string | null;
  /** The fan-out. */
  readonly fanout: EventFanout;
  /** The log streams, where services are managed. */
  readonly logStreams: LogStreams | null;
  /** Schedules the event loop among all connections. */
  readonly turns: Turns;
  /** Bounds the messages that wait for their turn. */
  readonly inboxSpace: InboxSpace;
  /** Detects peers that flood the server. */
  readonly floods: FloodGuard;
  /** The limits in force. */
  readonly limits: ServerLimits;
  /** Aborted at the end of a shutdown. */
  readonly signal: AbortSignal;
  /** Whether the server is shutting down. */
  readonly draining: boolean;
  /** Called once, when the socket is gone. */
  onGone(connection: Connection): void;
  /** Called when the server closes a connection for another reason than its shutdown. */
  onClosing(connection: Connection, code: number, reason: string): void;
}

/** A connection, from its `hello` to its end. */
export class Connection implements ConnectionEvents, Subscriber, ActionContext {
  /** The client's access. */
  readonly access: Access;
  /** Name of the client's token. */
  readonly by: string;
  /** IP address of the client. */
  readonly address: string | undefined;
  /** The services that its token is limited to. */
  readonly scope: ServiceScope | undefined;
  /** Aborted at the end of a shutdown. */
  readonly signal: AbortSignal;
  /** Set by the fanout. */
  lastSeq = 0;
  /** Set by the fanout. */
  lastTick = 0;

  readonly #host: ConnectionHost;
  readonly #socket: ServerSocket;
  readonly #queue: SendQueue;
  readonly #inbox: Inbox;
  readonly #outbox: Outbox;
  readonly #subscriptions: ConnectionSubscriptions;
  readonly #rate: TokenBucket;
  readonly #messages: PeerMessages = { turn: 0, count: 0 };
  #inFlight = 0;
  #badMessages = 0;
  #refusedForRate = 0;
  readonly #revoked: AbortSignal | undefined;
  /** After this, requests under way finish, but nothing more is accepted or sent. */
  readonly #onRevoked = () =>
    this.close(CLOSE_CODES.unauthorized, revocationText(this.#revoked?.reason));
  #gone = false;
  #terminateTimer: ReturnType<typeof setTimeout> | undefined;

  /** Takes an open socket and sends `hello`. */
  constructor(host: ConnectionHost, socket: ServerSocket, client: Client) {
    const { limits } = host;
    this.access = client.access;
    this.by = client.by;
    this.address = client.address;
    this.scope = client.scope;
    this.#revoked = client.revoked;
    this.signal = host.signal;
    this.#host = host;
    this.#socket = socket;
    this.#rate = new TokenBucket(limits.maxRequestsPerSecond);
    this.#queue = new SendQueue(socket, {
      maxBytes: limits.maxSendQueueBytes,
      stallTimeoutMs: limits.sendStallTimeoutMs,
      onFull: () => this.#subscriptions.pause(),
      onSlow: () => this.close(CLOSE_CODES.slow_consumer, "slow consumer: reconnect and resume"),
    });
    this.#inbox = new Inbox({
      owner: this,
      turns: host.turns,
      maxBytes: limits.maxInFlightRequests * limits.maxMessageBytes,
      waitsFor: rulesLoading,
      space: host.inboxSpace,
      read: (message) => this.#read(message),
      onFull: () => this.close(CLOSE_CODES.rate_limited, "too many messages at once: send fewer"),
    });
    this.#outbox = new Outbox(this, this.#queue, host.turns);
    this.#subscriptions = new ConnectionSubscriptions(host, this, this.#queue);
    this.#queue.push(helloText(host, this.access));
    void rulesLoading();
    if (this.#revoked?.aborted === true) this.#onRevoked();
    else this.#revoked?.addEventListener("abort", this.#onRevoked);
  }

  /** Path of the full token's file, for clients that sent no token. */
  get tokenFile(): string | null {
    return this.#host.tokenFile;
  }

  /** Whether it is closed for sending. */
  get isGone(): boolean {
    return this.#queue.closed;
  }

  /** Whether no request is in flight. */
  get idle(): boolean {
    return this.#inFlight === 0 && this.#inbox.size === 0;
  }

  /** Whether a replay is under way. */
  get catchingUp(): boolean {
    return this.#subscriptions.catchingUp;
  }

  /** Whether a live subscription wants an event. */
  wants(event: EventHead): boolean {
    return this.#subscriptions.wants(event);
  }

  /** Whether that check can be slow. */
  get isSlow(): boolean {
    return this.#subscriptions.isSlow;
  }

  /** Catches up with live events in its own turn. */
  fallBehind(seq: number): void {
    this.#subscriptions.pause(seq);
  }

  /** Queues an event. */
  deliver(text: string): void {
    this.#queue.push(text, "many");
  }

  /** A message arrived. */
  onMessage(data: Message): void {
    if (this.#host.floods.isFlood(this.#messages)) this.#drop();
    else if (!this.#queue.closed) this.#inbox.take(data);
  }

  #read(data: Message): void {
    if (this.#queue.closed) return;
    const { limits } = this.#host;
    if (isLarger(data, limits.maxMessageBytes)) {
      this.close(CLOSE_CODES.too_big, `message over ${limits.maxMessageBytes} bytes`);
      return;
    }
    if (typeof data !== "string") {
      this.#refuse(
        salvageId(new TextDecoder().decode(data)),
        new HarnessError(
          "invalid_request",
          "Cannot accept the message: it is a binary frame; send JSON in a text frame",
        ),
      );
      return;
    }
    const request = parseRequest(data, { maxDepth: limits.maxMessageDepth });
    if (!this.#mayAsk(request.id)) return;
    if (!request.ok) {
      this.#refuse(request.id, request.error);
      return;
    }
    this.#badMessages = 0;
    this.#handle(request);
  }

  /** The socket is gone. */
  onClose(): void {
    if (this.#gone) return;
    this.#gone = true;
    clearTimeout(this.#terminateTimer);
    this.#revoked?.removeEventListener("abort", this.#onRevoked);
    this.#stop();
    this.#host.onGone(this);
  }

  /** Announces the shutdown. */
  announceDraining(reason: string): void {
    const data = { reason, reconnect_after_ms: RECONNECT_AFTER_MS };
    this.#queue.push(encodeNotice("server_draining", data));
  }

  /** Stops sending, starts the closing handshake, and drops the peer if it does not complete it. */
  close(code: number, reason: string): void {
    if (this.#gone || this.#terminateTimer !== undefined) return;
    this.#stop();
    if (code !== CLOSE_CODES.shutdown) this.#host.onClosing(this, code, reason);
    this.#socket.close(code, reason);
    if (this.#socket.terminate === undefined) return;
    this.#terminateTimer = setTimeout(() => this.terminate(), TERMINATE_AFTER_MS);
  }

  /** Closes the connection of a peer that floods the server: it would starve all others. */
  #drop(): void {
    const reason = "too many messages at once: send fewer";
    this.close(CLOSE_CODES.rate_limited, reason);
    this.#socket.close(CLOSE_CODES.rate_limited, reason, { atOnce: true });
  }

  /** Drops the peer now, where the runtime can. */
  terminate(): void {
    this.#stop();
    this.#socket.terminate?.();
  }

  /** See {@linkcode ActionContext}. */
  worked(ms: number): void {
    this.#host.turns.used(ms);
  }

  /** See {@linkcode ActionContext}. */
  subscribe(params: ActionParams<"subscribe">): Promise<ActionData<"subscribe">> {
    return this.#subscriptions.subscribe(params);
  }

  /** See {@linkcode ActionContext}. */
  unsubscribe(
    params: ActionParams<"unsubscribe">,
  ): ActionData<"unsubscribe"> | Promise<ActionData<"unsubscribe">> {
    return this.#subscriptions.unsubscribe(params);
  }

  /** The single try/catch of the request path: without a promise for what is answered at once. */
  #handle(request: Request): void {
    this.#inFlight++;
    let answered: Promise<void> | null = null;
    try {
      answered = this.#run(request);
    } catch (error) {
      this.#fail(request, error);
    }
    if (answered === null) this.#inFlight--;
    else {
      void answered.catch((error) => this.#fail(request, error)).then(() => this.#inFlight--);
    }
  }

  #run(request: Request): Promise<void> | null {
    this.#checkLoad();
    const { requireAction, rightOf, parseParams, runAction } = requestRules();
    const action = requireAction(request.action);
    const right = rightOf(action);
    if (!hasRight(this.access, right)) {
      requireRight(right, this.access, `run ${action}`, this.tokenFile);
    }
    const params = parseParams(action, request.params);
    const result = runAction(action, params, this.#host.backends, this);
    return result instanceof Promise
      ? result.then((data) => this.#answer(request, action, data) ?? undefined)
      : this.#answer(request, action, result);
  }

  #answer(request: Request, action: Action, data: unknown): Promise<void> | null {
    this.#audit(request, { data });
    const sent = data instanceof Answer
      ? this.#outbox.add(request.id, data)
      : this.#respond(request.id, action, data);
    if (action !== "subscribe") return sent;
    const { subscription } = data as ActionData<"subscribe">;
    if (sent !== null) return sent.then(() => this.#subscriptions.begin(subscription));
    this.#subscriptions.begin(subscription);
    return null;
  }

  #audit({ action, params }: Request, outcome: { data?: unknown; error?: HarnessError }): void {
    if (!isRecorded(action)) return;
    this.#host.backends.audit?.(auditEntry(this, action, params, outcome));
  }

  /** Sends the data of a response: at once where there is room and it is not large. */
  #respond(id: string, action: Action, data: unknown): Promise<void> | null {
    if (this.#queue.closed) return null;
    if (!this.#queue.isReady) return this.#respondLater(id, action, data);
    const text = requestRules().dataText(action, data);
    if (text.length > LARGE_ANSWER_BYTES) return this.#outbox.add(id, Answer.of(text));
    this.#queue.push(encodeDataText(id, text));
    return null;
  }

  async #respondLater(id: string, action: Action, data: unknown): Promise<void> {
    // Checked again by each waiter that is woken: the answer before may have filled the queue.
    while (!this.#queue.isReady) await this.#queue.ready();
    const sent = this.#respond(id, action, data);
    if (sent !== null) await sent;
  }

  #checkLoad(): void {
    const { limits, draining } = this.#host;
    if (draining) {
      throw new HarnessError(
        "unavailable",
        "Cannot accept the request: the server is shutting down",
      );
    }
    if (this.#inFlight > limits.maxInFlightRequests) {
      throw new HarnessError(
        "rate_limited",
        `Too many in-flight requests (limit ${limits.maxInFlightRequests}); wait for a response`,
        { details: { max_in_flight: limits.maxInFlightRequests } },
      );
    }
  }

  /** Counts a message against the rate; false when it was refused. */
  #mayAsk(id: ResponseId): boolean {
    if (this.#rate.take()) {
      // An accepted request makes up for one refused. With a reset count no flood would ever be
      // ended: at 1,000 a second the bucket lets one through every millisecond.
      if (this.#refusedForRate > 0) this.#refusedForRate--;
      return true;
    }
    const { maxRequestsPerSecond, maxRateLimitedRequests } = this.#host.limits;
    const error = new HarnessError(
      "rate_limited",
      `Too many requests (limit ${maxRequestsPerSecond} per second)`,
      { details: { retry_after_ms: this.#rate.waitMs } },
    );
    this.#queue.push(encodeError(id, error));
    if (++this.#refusedForRate >= maxRateLimitedRequests) {
      this.close(CLOSE_CODES.rate_limited, "rate limit: reconnect after a pause");
    }
    return false;
  }

  /** Answers a malformed message, and closes the connection of a client that sends nothing else. */
  #refuse(id: ResponseId, error: HarnessError): void {
    this.#queue.push(encodeError(id, error));
    if (++this.#badMessages >= this.#host.limits.maxBadMessages) {
      this.close(CLOSE_CODES.bad_messages, "too many bad messages: see the error responses");
    }
  }

  #fail(request: Request, thrown: unknown): void {
    const error = toHarnessError(thrown);
    this.#audit(request, { error });
    if (error.code === "internal") {
      getLogger(["harness", "server"]).error("Cannot run {action}: {error}", {
        action: request.action.slice(0, 64),
        error: error.cause ?? error,
      });
    }
    this.#queue.push(encodeError(request.id, error));
  }

  #stop(): void {
    this.#queue.close();
    this.#inbox.clear();
    this.#host.turns.leave(this);
    this.#subscriptions.close();
  }
}
