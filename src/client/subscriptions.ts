/**
 * The wire side of all readers: subscribes for them, resumes them after a reconnect, gives them events.
 *
 * After a reconnect all readers that were up to date share one `subscribe` that covers them all, so
 * that one replay, in one order, serves everybody; each reader takes what it wants and has not had.
 * Subscribes run one after the other, because the pages of a snapshot do not say whose they are.
 *
 * @module
 */
import { HarnessError, toHarnessError } from "../errors.ts";
import { MAX_SUBSCRIPTION_SERVICES } from "../limits.ts";
import type { ActionData, ActionParams, SubscribableEvent } from "../protocol/actions.ts";
import type { EventMessage } from "../protocol/messages.ts";
import type { ServiceEntry } from "../registry/entry.ts";
import type { Connection } from "./connection.ts";
import type { Feed } from "./feed.ts";
import type { SnapshotItem } from "./items.ts";
import { backoffDelayMs, type ReconnectOptions } from "./reconnect.ts";

/** How a subscription (again) began. */
export interface Resumption {
  /** `live`: nothing was missed; `replayed`: the missed events follow; `snapshot`: they could not be had. */
  how: "live" | "replayed" | "snapshot";
  /** Lineage of the server's data. */
  epoch: string;
  /** The server's seq at that moment. */
  seq: number;
}

/** Options for {@linkcode Subscriptions}. */
export interface SubscriptionsOptions {
  /** How long a subscribe may take. */
  timeoutMs: number;
  /** Delays between attempts of a subscribe that the server refused for the moment. */
  reconnect: ReconnectOptions;
  /** Called when readers were resumed after a reconnect or a lag. */
  onResumed: (resumption: Resumption) => void;
}

/** A subscription as the server knows it, and the readers that live on it. */
interface WireSubscription {
  readonly id: string;
  readonly feeds: Set<Feed>;
}

interface PendingSnapshot {
  readonly feeds: Feed[];
  readonly epoch: string;
  readonly ackSeq: number;
  readonly why: SnapshotItem["why"];
  readonly services: ServiceEntry[];
  done(): void;
}

/** All readers of one client. */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  readonly #feeds: Set<Feed> = new Set();
  readonly #wires: Map<Feed, WireSubscription> = new Map();
  #connection: Connection | null = null;
  #queue: Promise<void> = Promise.resolve();
  #snapshot: PendingSnapshot | null = null;

  /** Makes an empty set of readers. */
  constructor(options: SubscriptionsOptions) {
    this.#options = options;
  }

  /** Takes a new reader; resolves when the server acknowledged it. */
  add(feed: Feed): Promise<Resumption> {
    this.#feeds.add(feed);
    return new Promise((resolve, reject) => {
      this.#firstAcks.set(feed, { resolve, reject });
      feed.onDrained = () => this.#enqueue(() => this.#catchUp(feed));
      this.#enqueue(() => this.#attachAlone(feed));
    });
  }
  readonly #firstAcks: Map<
    Feed,
    { resolve(resumption: Resumption): void; reject(error: HarnessError): void }
  > = new Map();

  /** The reader has gone. */
  remove(feed: Feed): void {
    this.#feeds.delete(feed);
    this.#failFirstAck(feed, new HarnessError("cancelled", "The reader of these events has gone"));
    this.#leaveWire(feed);
  }

  /** A new connection is there: everybody is subscribed again. */
  attach(connection: Connection): void {
    this.#connection = connection;
    this.#enqueue(() => this.#resumeAll());
  }

  /** The connection is gone. */
  detach(): void {
    this.#connection = null;
    this.#wires.clear();
    for (const feed of this.#feeds) feed.detach();
    this.#snapshot?.done();
    this.#snapshot = null;
  }

  /** The client is closed. */
  end(error: HarnessError | null): void {
    this.detach();
    for (const feed of this.#feeds) {
      feed.end(error);
      this.#failFirstAck(feed, error ?? new HarnessError("cancelled", "The client was closed"));
    }
    this.#feeds.clear();
  }

  /** An event came. Synchronous: the next frame may be right behind. */
  dispatch(message: EventMessage): void {
    if (message.event === "registry_loaded") return this.#collect(message);
    for (const feed of this.#feeds) feed.accept(message);
  }

  #enqueue(work: () => Promise<void>): void {
    this.#queue = this.#queue.then(work);
  }

  async #resumeAll(): Promise<void> {
    const shared: Feed[] = [];
    for (const feed of this.#feeds) {
      if (feed.phase === "off" && !feed.wantsLogs) shared.push(feed);
    }
    if (shared.length > 0) {
      const seq = Math.min(...shared.map((feed) => feed.position?.seq ?? 0));
      const epoch = shared[0]?.position?.epoch ?? "";
      await this.#subscribe(shared, { ...mergedFilter(shared), since: { epoch, seq } });
    }
    for (const feed of [...this.#feeds]) {
      if (feed.phase === "new") await this.#attachAlone(feed);
      else if (feed.phase === "off") await this.#subscribe([feed], resumeParams(feed));
      else if (feed.phase === "lagging" && feed.isDrained) await this.#catchUp(feed);
    }
  }

  async #attachAlone(feed: Feed): Promise<void> {
    if (feed.phase !== "new") return;
    const { since, snapshot } = feed.options;
    await this.#subscribe([feed], {
      ...feed.filter,
      ...(since === undefined ? {} : { since }),
      ...(snapshot === undefined ? {} : { snapshot }),
    });
  }

  async #catchUp(feed: Feed): Promise<void> {
    if (feed.phase === "lagging" && feed.isDrained) {
      await this.#subscribe([feed], resumeParams(feed));
    }
  }

  /** Subscribes on the present connection; a refusal for the moment is tried again, any other ends the feeds. */
  async #subscribe(feeds: Feed[], params: ActionParams<"subscribe">): Promise<void> {
    const connection = this.#connection;
    for (let attempt = 0; connection !== null && this.#connection === connection; attempt++) {
      try {
        await this.#subscribeOnce(connection, feeds, params);
        return;
      } catch (thrown) {
        if (this.#connection !== connection) return; // They are resumed on the next one.
        const error = toHarnessError(thrown);
        const isFirst = feeds.some((feed) => this.#firstAcks.has(feed));
        if (!error.retryable || isFirst) {
          for (const feed of feeds) this.#fail(feed, error);
          return;
        }
        await pause(backoffDelayMs(attempt, this.#options.reconnect), connection.closed);
      }
    }
  }

  async #subscribeOnce(
    connection: Connection,
    feeds: Feed[],
    params: ActionParams<"subscribe">,
  ): Promise<void> {
    let snapshotDone: Promise<void> | undefined;
    await connection.request("subscribe", params, {
      timeoutMs: this.#options.timeoutMs,
      onData: (ack) => snapshotDone = this.#acknowledged(feeds, params, ack),
    });
    await snapshotDone;
  }

  #acknowledged(
    feeds: Feed[],
    params: ActionParams<"subscribe">,
    ack: ActionData<"subscribe">,
  ): Promise<void> | undefined {
    const { epoch, seq, resumed } = ack;
    const alive = feeds.filter((feed) => feed.phase !== "ended");
    this.#joinWire(ack.subscription, alive);
    const isResumption = alive.some((feed) => !this.#firstAcks.has(feed));
    for (const feed of alive) {
      const from = feed.position ?? params.since;
      if (resumed === "snapshot") feed.beginSnapshot();
      else if (resumed === "replayed" && from !== undefined) feed.begin({ epoch, seq: from.seq });
      else feed.begin({ epoch, seq });
      this.#firstAcks.get(feed)?.resolve({ how: resumed, epoch, seq });
      this.#firstAcks.delete(feed);
    }
    if (isResumption) this.#options.onResumed({ how: resumed, epoch, seq });
    if (resumed !== "snapshot") return undefined;
    const why = params.snapshot === true ? "requested" : "events_missed";
    return new Promise((done) => {
      this.#snapshot = { feeds: alive, epoch, ackSeq: seq, why, services: [], done };
    });
  }

  #collect(message: EventMessage & { event: "registry_loaded" }): void {
    const snapshot = this.#snapshot;
    if (snapshot === null) return;
    for (const entry of message.data.services) snapshot.services.push(entry);
    if (message.data.more) return;
    this.#snapshot = null;
    const position = { epoch: snapshot.epoch, seq: message.seq ?? snapshot.ackSeq };
    for (const feed of snapshot.feeds) feed.endSnapshot(position, snapshot.services, snapshot.why);
    snapshot.done();
  }

  #joinWire(id: string, feeds: Feed[]): void {
    const wire: WireSubscription = { id, feeds: new Set(feeds) };
    for (const feed of feeds) {
      this.#leaveWire(feed);
      this.#wires.set(feed, wire);
    }
    if (feeds.length === 0) this.#unsubscribe(id);
  }

  #leaveWire(feed: Feed): void {
    const wire = this.#wires.get(feed);
    if (wire === undefined) return;
    this.#wires.delete(feed);
    wire.feeds.delete(feed);
    if (wire.feeds.size === 0) this.#unsubscribe(wire.id);
  }

  /** Best effort: a subscription too many costs bandwidth, never correctness. */
  #unsubscribe(subscription: string): void {
    const { timeoutMs } = this.#options;
    this.#connection?.request("unsubscribe", { subscription }, { timeoutMs }).catch(() => {});
  }

  #fail(feed: Feed, error: HarnessError): void {
    this.#feeds.delete(feed);
    this.#leaveWire(feed);
    this.#failFirstAck(feed, error);
    feed.end(error);
  }

  #failFirstAck(feed: Feed, error: HarnessError): void {
    this.#firstAcks.get(feed)?.reject(error);
    this.#firstAcks.delete(feed);
  }
}

/** The smallest filter that covers all the feeds: it may match more than each of them wants. */
export function mergedFilter(
  feeds: readonly Feed[],
): { events?: SubscribableEvent[]; services?: string[] } {
  const events = union(feeds.map((feed) => feed.options.events));
  const services = union(feeds.map((feed) => feed.options.services));
  return {
    ...(events === undefined ? {} : { events }),
    ...(services === undefined || services.length > MAX_SUBSCRIPTION_SERVICES ? {} : { services }),
  };
}

/** The union of the lists; a missing list stands for everything. */
function union<T>(lists: ReadonlyArray<readonly T[] | undefined>): T[] | undefined {
  const all = new Set<T>();
  for (const list of lists) {
    if (list === undefined) return undefined;
    for (const value of list) all.add(value);
  }
  return [...all];
}

function resumeParams(feed: Feed): ActionParams<"subscribe"> {
  const { position } = feed;
  const resumable = feed.wantsEvents && position !== null;
  return { ...feed.filter, ...(resumable ? { since: { ...position } } : {}) };
}

async function pause(delayMs: number, until: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const elapsed = new Promise<void>((resolve) => timer = setTimeout(resolve, delayMs));
  await Promise.race([elapsed, until]);
  clearTimeout(timer);
}
