/**
 * Keeps one event stream subscribed across connections.
 *
 * A connection carries one subscription only. The server sends an event once per connection, and replays are mixed
 * with live events: with two subscriptions, an event that one has seen would be missing in the replay of the other.
 *
 * Backpressure: a slow reader is unsubscribed, and resubscribed from its position once it has caught up. The server,
 * which keeps a long history, holds the events meanwhile.
 *
 * @module
 */
import { HarnessError, toHarnessError } from "../../errors.ts";
import type { ActionData, ActionParams, ResumeMode } from "../../protocol/actions.ts";
import type { EventMessage } from "../../protocol/messages.ts";
import type { ServiceEntry } from "../../model/service.ts";
import type { Connection } from "../connection.ts";
import type { EventBuffer } from "./buffer.ts";
import type { SnapshotItem } from "./items.ts";
import { backoffDelayMs, type ReconnectOptions } from "../backoff.ts";
import { settleWithin } from "../../util/async.ts";

/** How a subscription began or resumed. */
export interface Resumption {
  /** `live`: nothing was missed; `replayed`: missed events follow; `snapshot`: missed events are gone. */
  how: ResumeMode;
  /** Lineage of the server's data. */
  epoch: string;
  /** The server's seq at that moment. */
  seq: number;
}

/** Options for {@linkcode Subscription}. */
export interface SubscriptionOptions {
  /** Timeout of each request. */
  timeoutMs: number;
  /** Delays between retries of a subscribe that failed with a retryable error. */
  reconnect: ReconnectOptions;
  /** Called when events resume after a reconnect or after backpressure. */
  onResumed: (resumption: Resumption) => void;
}

interface PendingSnapshot {
  readonly position: { epoch: string; seq: number };
  readonly why: SnapshotItem["why"];
  readonly services: ServiceEntry[];
  done(): void;
}

interface FirstAck {
  resolve(resumption: Resumption): void;
  reject(error: HarnessError): void;
}

/** The subscription of one event stream. */
export class Subscription {
  readonly #options: SubscriptionOptions;
  #buffer: EventBuffer | null = null;
  #firstAck: FirstAck | null = null;
  #connection: Connection | null = null;
  /** The server's id of the current subscription. */
  #subscription: string | null = null;
  #snapshot: PendingSnapshot | null = null;
  #work: Promise<void> = Promise.resolve();

  /** Creates it without a buffer to fill. */
  constructor(options: SubscriptionOptions) {
    this.#options = options;
  }

  /** Whether no event stream uses it. */
  get isFree(): boolean {
    return this.#buffer === null;
  }

  /** Starts to fill `buffer`; resolves when the server has acknowledged. */
  set(buffer: EventBuffer): Promise<Resumption> {
    this.#buffer = buffer;
    buffer.onChange = () => this.#sync();
    const ready = new Promise<Resumption>((resolve, reject) => {
      this.#firstAck = { resolve, reject };
    });
    this.#sync();
    return ready;
  }

  /** The reader of `buffer` has gone. */
  clear(buffer: EventBuffer): void {
    if (this.#buffer !== buffer) return;
    this.#buffer = null;
    this.#failFirstAck(new HarnessError("cancelled", "The stream was closed by its reader"));
    this.#sync();
  }

  /** A new connection is open. */
  attach(connection: Connection): void {
    this.#connection = connection;
    this.#sync();
  }

  /** The connection is lost. */
  detach(): void {
    this.#connection = null;
    this.#subscription = null;
    this.#buffer?.detach();
    this.#snapshot?.done();
    this.#snapshot = null;
  }

  /** There will be no further connection. */
  end(error: HarnessError | null): void {
    this.detach();
    this.#buffer?.end(error);
    this.#buffer = null;
    this.#failFirstAck(error ?? new HarnessError("cancelled", "The client was closed"));
  }

  /** Handles an event. Synchronous, because the next frame may follow at once. */
  dispatch(message: EventMessage, length: number = 0): void {
    if (message.event === "registry_loaded") this.#collect(message);
    else this.#buffer?.accept(message, length);
  }

  /** Reconciles the server's subscription with the buffer; one request at a time. */
  #sync(): void {
    this.#work = this.#work.then(() => this.#step());
  }

  async #step(): Promise<void> {
    const connection = this.#connection;
    if (connection === null || connection.isClosed) return;
    if (
      this.#subscription !== null && (this.#buffer === null || this.#buffer.phase === "lagging")
    ) {
      await this.#unsubscribe(connection, this.#subscription);
    }
    const buffer = this.#buffer;
    if (buffer === null || connection.isClosed) return;
    if (
      buffer.phase === "new" || buffer.phase === "off" ||
      (buffer.phase === "lagging" && buffer.isDrained)
    ) {
      await this.#subscribe(connection, buffer);
    }
  }

  async #unsubscribe(connection: Connection, subscription: string): Promise<void> {
    this.#subscription = null;
    try {
      await connection.request("unsubscribe", { subscription }, {
        timeoutMs: this.#options.timeoutMs,
      });
    } catch {
      // Its state is unknown; a new connection has none.
      await connection.close(1000, "unsubscribe failed");
    }
  }

  /** Retries retryable errors; any other error ends the event stream. */
  async #subscribe(connection: Connection, buffer: EventBuffer): Promise<void> {
    for (let attempt = 0; !connection.isClosed && this.#buffer === buffer; attempt++) {
      try {
        await this.#subscribeOnce(connection, buffer);
        return;
      } catch (thrown) {
        // The next connection subscribes again.
        if (connection.isClosed || this.#buffer !== buffer) return;
        const error = toHarnessError(thrown);
        if (!error.retryable || this.#firstAck !== null) {
          this.#buffer = null;
          buffer.end(error);
          this.#failFirstAck(error);
          return;
        }
        await settleWithin(connection.closed, backoffDelayMs(attempt, this.#options.reconnect));
      }
    }
  }

  async #subscribeOnce(connection: Connection, buffer: EventBuffer): Promise<void> {
    const params = subscribeParams(buffer);
    let snapshotDone: Promise<void> | undefined;
    await connection.request("subscribe", params, {
      timeoutMs: this.#options.timeoutMs,
      onData: (ack) => snapshotDone = this.#acknowledged(buffer, params, ack),
    });
    await snapshotDone;
    // The reader may have gone, or may lag again, since the request was sent.
    if (this.#buffer !== buffer) this.#sync();
  }

  #acknowledged(
    buffer: EventBuffer,
    params: ActionParams<"subscribe">,
    ack: ActionData<"subscribe">,
  ): Promise<void> | undefined {
    const { epoch, seq, resumed, subscription } = ack;
    this.#subscription = subscription;
    if (this.#buffer !== buffer) return undefined;
    if (resumed === "snapshot") buffer.beginSnapshot();
    else buffer.begin({ epoch, seq: resumed === "replayed" ? params.since?.seq ?? seq : seq });
    const resumption: Resumption = { how: resumed, epoch, seq };
    if (this.#firstAck === null) this.#options.onResumed(resumption);
    this.#firstAck?.resolve(resumption);
    this.#firstAck = null;
    if (resumed !== "snapshot") return undefined;
    const why = params.since === undefined ? "requested" : "events_missed";
    return new Promise((done) => {
      this.#snapshot = { position: { epoch, seq }, why, services: [], done };
    });
  }

  #collect(message: EventMessage & { event: "registry_loaded" }): void {
    const snapshot = this.#snapshot;
    if (snapshot === null) return;
    for (const entry of message.data.services) snapshot.services.push(entry);
    if (message.data.more) return;
    this.#snapshot = null;
    const position = {
      ...snapshot.position,
      ...(message.seq === undefined ? {} : { seq: message.seq }),
    };
    this.#buffer?.endSnapshot(position, snapshot.services, snapshot.why);
    snapshot.done();
  }

  #failFirstAck(error: HarnessError): void {
    this.#firstAck?.reject(error);
    this.#firstAck = null;
  }
}

/** Resumes from the buffer's position, or begins as the caller asked. */
function subscribeParams(buffer: EventBuffer): ActionParams<"subscribe"> {
  if (buffer.position !== null) {
    return {
      ...buffer.filter,
      ...(buffer.hasReplayableEvents ? { since: { ...buffer.position } } : {}),
    };
  }
  const { since, snapshot } = buffer.options;
  return {
    ...buffer.filter,
    ...(since === undefined ? {} : { since }),
    ...(snapshot === undefined ? {} : { snapshot }),
  };
}
