/**
 * Keeps one reader subscribed on one connection after the other.
 *
 * A connection carries the subscription of one reader only. The protocol sends an event once to a
 * connection, and replays run beside live events; so with two readers on it, what one has had already
 * would be missing in the other's replay. With one reader every event comes in order, whatever happens.
 *
 * A reader that lags is unsubscribed and subscribed again, from where it was, once it has caught up: the
 * server, which can keep events for long, does the waiting.
 *
 * @module
 */
import { HarnessError, toHarnessError } from "../../errors.ts";
import type { ActionData, ActionParams, ResumeMode } from "../../protocol/actions.ts";
import type { EventMessage } from "../../protocol/messages.ts";
import type { ServiceEntry } from "../../model/service.ts";
import type { Connection } from "../connection.ts";
import type { Feed } from "./buffer.ts";
import type { SnapshotItem } from "./items.ts";
import { backoffDelayMs, type ReconnectOptions } from "../backoff.ts";
import { settleWithin } from "../../util/async.ts";

/** How a subscription (again) began. */
export interface Resumption {
  /** `live`: nothing was missed; `replayed`: the missed events follow; `snapshot`: they could not be had. */
  how: ResumeMode;
  /** Lineage of the server's data. */
  epoch: string;
  /** The server's seq at that moment. */
  seq: number;
}

/** Options for {@linkcode Subscriber}. */
export interface SubscriberOptions {
  /** How long the server may take to answer. */
  timeoutMs: number;
  /** Delays between attempts of a subscribe that the server refused for the moment. */
  reconnect: ReconnectOptions;
  /** Called when the reader was resumed after a reconnect or a lag. */
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

/** The reader of one connection. */
export class Subscriber {
  readonly #options: SubscriberOptions;
  #feed: Feed | null = null;
  #firstAck: FirstAck | null = null;
  #connection: Connection | null = null;
  /** The server's id of the present subscription. */
  #subscription: string | null = null;
  #snapshot: PendingSnapshot | null = null;
  #work: Promise<void> = Promise.resolve();

  /** Makes one without a reader. */
  constructor(options: SubscriberOptions) {
    this.#options = options;
  }

  /** Whether it has no reader. */
  get isFree(): boolean {
    return this.#feed === null;
  }

  /** Takes a reader; resolves when the server acknowledged it. */
  set(feed: Feed): Promise<Resumption> {
    this.#feed = feed;
    feed.onChange = () => this.#sync();
    const ready = new Promise<Resumption>((resolve, reject) => {
      this.#firstAck = { resolve, reject };
    });
    this.#sync();
    return ready;
  }

  /** The reader has gone. */
  clear(feed: Feed): void {
    if (this.#feed !== feed) return;
    this.#feed = null;
    this.#failFirstAck(new HarnessError("cancelled", "The stream was closed by its reader"));
    this.#sync();
  }

  /** A new connection is there. */
  attach(connection: Connection): void {
    this.#connection = connection;
    this.#sync();
  }

  /** The connection is gone. */
  detach(): void {
    this.#connection = null;
    this.#subscription = null;
    this.#feed?.detach();
    this.#snapshot?.done();
    this.#snapshot = null;
  }

  /** There will be no connection any more. */
  end(error: HarnessError | null): void {
    this.detach();
    this.#feed?.end(error);
    this.#feed = null;
    this.#failFirstAck(error ?? new HarnessError("cancelled", "The client was closed"));
  }

  /** An event came. Synchronous: the next frame may be right behind. */
  dispatch(message: EventMessage, length: number = 0): void {
    if (message.event === "registry_loaded") this.#collect(message);
    else this.#feed?.accept(message, length);
  }

  /** Brings the server's side in line with the reader's; one request at a time. */
  #sync(): void {
    this.#work = this.#work.then(() => this.#step());
  }

  async #step(): Promise<void> {
    const connection = this.#connection;
    if (connection === null || connection.isClosed) return;
    if (this.#subscription !== null && (this.#feed === null || this.#feed.phase === "lagging")) {
      await this.#unsubscribe(connection, this.#subscription);
    }
    const feed = this.#feed;
    if (feed === null || connection.isClosed) return;
    if (
      feed.phase === "new" || feed.phase === "off" || (feed.phase === "lagging" && feed.isDrained)
    ) {
      await this.#subscribe(connection, feed);
    }
  }

  async #unsubscribe(connection: Connection, subscription: string): Promise<void> {
    this.#subscription = null;
    try {
      await connection.request("unsubscribe", { subscription }, {
        timeoutMs: this.#options.timeoutMs,
      });
    } catch {
      // Whether it still stands is not known: on a new connection it surely does not.
      await connection.close(1000, "unsubscribe failed");
    }
  }

  /** A refusal for the moment is tried again, any other ends the reader's stream. */
  async #subscribe(connection: Connection, feed: Feed): Promise<void> {
    for (let attempt = 0; !connection.isClosed && this.#feed === feed; attempt++) {
      try {
        await this.#subscribeOnce(connection, feed);
        return;
      } catch (thrown) {
        // With the connection gone, the next one begins where this one failed.
        if (connection.isClosed || this.#feed !== feed) return;
        const error = toHarnessError(thrown);
        if (!error.retryable || this.#firstAck !== null) {
          this.#feed = null;
          feed.end(error);
          this.#failFirstAck(error);
          return;
        }
        await settleWithin(connection.closed, backoffDelayMs(attempt, this.#options.reconnect));
      }
    }
  }

  async #subscribeOnce(connection: Connection, feed: Feed): Promise<void> {
    const params = subscribeParams(feed);
    let snapshotDone: Promise<void> | undefined;
    await connection.request("subscribe", params, {
      timeoutMs: this.#options.timeoutMs,
      onData: (ack) => snapshotDone = this.#acknowledged(feed, params, ack),
    });
    await snapshotDone;
    // The reader may have gone, or lag again, since the request was sent.
    if (this.#feed !== feed) this.#sync();
  }

  #acknowledged(
    feed: Feed,
    params: ActionParams<"subscribe">,
    ack: ActionData<"subscribe">,
  ): Promise<void> | undefined {
    const { epoch, seq, resumed, subscription } = ack;
    this.#subscription = subscription;
    if (this.#feed !== feed) return undefined;
    if (resumed === "snapshot") feed.beginSnapshot();
    else feed.begin({ epoch, seq: resumed === "replayed" ? params.since?.seq ?? seq : seq });
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
    this.#feed?.endSnapshot(position, snapshot.services, snapshot.why);
    snapshot.done();
  }

  #failFirstAck(error: HarnessError): void {
    this.#firstAck?.reject(error);
    this.#firstAck = null;
  }
}

/** From the reader's place where it has one, else as its user asked. */
function subscribeParams(feed: Feed): ActionParams<"subscribe"> {
  if (feed.position !== null) {
    return { ...feed.filter, ...(feed.wantsEvents ? { since: { ...feed.position } } : {}) };
  }
  const { since, snapshot } = feed.options;
  return {
    ...feed.filter,
    ...(since === undefined ? {} : { since }),
    ...(snapshot === undefined ? {} : { snapshot }),
  };
}
