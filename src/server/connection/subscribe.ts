/**
 * `subscribe` and `unsubscribe` of one connection.
 *
 * A subscription begins in two steps: {@linkcode ConnectionSubscriptions.subscribe} returns the acknowledgement,
 * and {@linkcode ConnectionSubscriptions.begin} starts the events after it was sent. So a client never receives
 * an event before the response that acknowledges its subscription.
 *
 * @module
 */
import type { ServerLimits } from "../../model/server_limits.ts";
import { getLogger } from "../../util/log.ts";
import { HarnessError } from "../../errors.ts";
import type { ActionData, ActionParams, ResumeMode } from "../../protocol/actions.ts";
import type { WireEventType } from "../../protocol/messages.ts";
import { CLOSE_CODES } from "../../protocol/messages.ts";
import type { ServiceEntry } from "../../model/service.ts";
import { EVENT_TYPES } from "../../model/event.ts";
import type { EventHead } from "../../registry/filter.ts";
import { isGlob } from "../../util/glob.ts";
import type { Registry } from "../../registry/registry.ts";
import { catchUp, type CatchUpContext, catchUpLive, chooseResume } from "./catch_up.ts";
import type { EventFanout, Subscriber } from "./event_fanout.ts";
import type { LogStreams } from "../services/service_logs.ts";
import { requireCovered, type ServiceScope } from "../access/scope.ts";
import type { SendQueue } from "./send_queue.ts";
import { Turns } from "./turns.ts";
import { type Subscription, SubscriptionSet } from "./subscriptions.ts";

/** The parts of the server that subscriptions use. */
export interface SubscriptionHost {
  /** The registry. */
  readonly backends: { readonly registry: Registry };
  /** The fan-out. */
  readonly fanout: EventFanout;
  /** The log streams, where services are managed. */
  readonly logStreams: LogStreams | null;
  /** Scheduler of the event loop. @default {one for this connection} */
  readonly turns?: Turns;
  /** The limits in force. */
  readonly limits: ServerLimits;
}

/** The parts of the connection that subscriptions use. */
export interface SubscriptionOwner extends Subscriber {
  /** The services that it is limited to. Left out: all. */
  readonly scope?: ServiceScope | undefined;
  /** Ends the connection. */
  close(code: number, reason: string): void;
}

/** A subscription that was acknowledged but has not begun. */
interface Pending {
  readonly subscription: Subscription;
  readonly resume: ResumeMode;
  readonly logs: readonly ServiceEntry[];
}

/** Live events that are held back because the peer is too slow. */
interface Held {
  /** Seq of the last event sent. */
  position: number;
  /** Settles when none are held back. */
  readonly over: PromiseWithResolvers<void>;
}

/** The subscriptions of one connection. */
export class ConnectionSubscriptions {
  readonly #host: SubscriptionHost;
  readonly #owner: SubscriptionOwner;
  readonly #set: SubscriptionSet;
  readonly #context: CatchUpContext;
  readonly #pending = new Map<string, Pending>();
  /** Tail of the queue of {@linkcode subscribe} and {@linkcode unsubscribe}: they take effect in the order sent. */
  #last: Promise<unknown> | null = null;
  /** Ids whose log a subscription follows. */
  readonly #logs = new Map<Subscription, string[]>();
  #held: Held | null = null;
  #isSlow = false;

  /** No subscriptions yet. */
  constructor(host: SubscriptionHost, owner: SubscriptionOwner, queue: SendQueue) {
    this.#host = host;
    this.#owner = owner;
    this.#set = new SubscriptionSet(host.limits.maxSubscriptions, owner.scope);
    this.#context = {
      registry: host.backends.registry,
      fanout: host.fanout,
      queue,
      subscriber: owner,
      scope: owner.scope,
      turns: host.turns ?? new Turns(),
      subscriptions: this.#set,
      resumed: () => this.#held?.over.promise ?? null,
      index: () => this.#index(),
    };
  }

  /** Whether a replay is under way. */
  get catchingUp(): boolean {
    return this.#set.catchingUp;
  }

  /** Whether a live subscription wants an event. */
  wants(event: EventHead): boolean {
    return this.#set.wants(event);
  }

  /** Adds a subscription; it does nothing before {@linkcode begin}. */
  subscribe(params: ActionParams<"subscribe">): Promise<ActionData<"subscribe">> {
    return this.#afterOthers(() => this.#add(params));
  }

  async #add(params: ActionParams<"subscribe">): Promise<ActionData<"subscribe">> {
    const { registry } = this.#host.backends;
    const types: readonly WireEventType[] = params.events ?? EVENT_TYPES;
    const services = params.services ?? null;
    const logs = types.includes("service_log") ? this.#logsOf(services) : [];
    const resume = await chooseResume(params, this.#context);
    // The position is read after the wait, in the same turn in which the subscription is added.
    const { seq } = this.#host.fanout;
    const position = resume === "replayed" ? params.since?.seq ?? seq : seq;
    const subscription = this.#set.add(types, services, position);
    this.#pending.set(subscription.id, { subscription, resume, logs });
    return {
      subscribed: this.#set.types(),
      subscription: subscription.id,
      epoch: registry.epoch,
      seq,
      resumed: resume,
    };
  }

  /** Starts the events of an acknowledged subscription. */
  begin(id: string): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    if (!this.#set.has(pending.subscription)) return;
    const { subscription, resume, logs } = pending;
    if (logs.length > 0 && subscription.types.has("service_log")) {
      this.#logs.set(subscription, logs.map((entry) => entry.id));
      for (const entry of logs) this.#host.logStreams?.add(this.#owner, entry);
    }
    void this.#run(subscription, resume);
  }

  /** Whether matching the live subscriptions can be slow. */
  get isSlow(): boolean {
    return this.#isSlow;
  }

  /** Holds live events after a seq back until the peer has read its queue, then catches up with them. */
  pause(position: number = this.#host.fanout.seq): void {
    if (this.#held !== null) return;
    const held = this.#held = { position, over: Promise.withResolvers<void>() };
    this.#index();
    void this.#resume(held);
  }

  /** Ends subscriptions, or some types of them: at once, unless an earlier subscribe is still being added. */
  unsubscribe(
    params: ActionParams<"unsubscribe">,
  ): ActionData<"unsubscribe"> | Promise<ActionData<"unsubscribe">> {
    if (this.#last === null) return this.#remove(params);
    return this.#afterOthers(() => this.#remove(params));
  }

  #afterOthers<T>(work: () => T | Promise<T>): Promise<T> {
    const mine = (this.#last ?? Promise.resolve()).then(work, work);
    const done = () => {
      if (this.#last === mine) this.#last = null;
    };
    this.#last = mine;
    mine.then(done, done);
    return mine;
  }

  #remove(params: ActionParams<"unsubscribe">): ActionData<"unsubscribe"> {
    const liveSeq = this.#held?.position ?? this.#host.fanout.seq;
    this.#set.remove(params.events, params.subscription, liveSeq);
    this.#afterRemoval();
    return { subscribed: this.#set.types() };
  }

  /** Ends all. */
  close(): void {
    this.#set.clear();
    this.#pending.clear();
    this.#afterRemoval();
  }

  async #run(subscription: Subscription, resume: ResumeMode): Promise<void> {
    try {
      if (await catchUp(subscription, resume, this.#context)) return;
      this.#owner.close(CLOSE_CODES.slow_consumer, "history ran out: reconnect and resume");
    } catch (error) {
      getLogger(["harness", "server"]).error("Cannot replay events: {error}", { error });
      this.#owner.close(CLOSE_CODES.slow_consumer, "replay failed: reconnect and resume");
    }
  }

  async #resume(held: Held): Promise<void> {
    const { fanout } = this.#host;
    try {
      if (await catchUpLive(held, this.#context)) {
        this.#endPause();
        if (!this.#set.catchingUp && this.#set.size > 0) fanout.bookmark(this.#owner);
        return;
      }
      this.#owner.close(CLOSE_CODES.slow_consumer, "slow consumer: reconnect and resume");
    } catch (error) {
      getLogger(["harness", "server"]).error("Cannot replay events: {error}", { error });
      this.#owner.close(CLOSE_CODES.slow_consumer, "replay failed: reconnect and resume");
    }
    this.#endPause();
  }

  #endPause(): void {
    this.#held?.over.resolve();
    this.#held = null;
    this.#index();
  }

  #index(): void {
    this.#isSlow = this.#set.isSlow;
    this.#host.fanout.set(this.#owner, this.#held === null ? this.#set.interest() : new Map());
  }

  #afterRemoval(): void {
    for (const [subscription, ids] of this.#logs) {
      if (this.#set.has(subscription) && subscription.types.has("service_log")) continue;
      this.#logs.delete(subscription);
      for (const id of ids) this.#host.logStreams?.remove(this.#owner, id);
    }
    this.#index();
  }

  /** The instances whose logs are requested; all must exist. */
  #logsOf(services: readonly string[] | null): ServiceEntry[] {
    if (this.#host.logStreams === null) {
      throw new HarnessError(
        "unavailable",
        'Cannot subscribe to service_log: this server lacks the capability "lifecycle"',
        { details: { reason: "not_supported", capability: "lifecycle" } },
      );
    }
    if (services === null || services.some(isGlob)) {
      throw new HarnessError(
        "invalid_params",
        "Cannot subscribe to service_log: params.services must name the services, without globs",
      );
    }
    const { registry } = this.#host.backends;
    const entries = services.flatMap((service) => {
      const found = registry.list({ name: service });
      return found.length > 0 ? found : [registry.get(service)];
    });
    for (const { name } of entries) requireCovered(this.#owner.scope, name);
    this.#host.logStreams.requireRoom(entries.map((entry) => entry.id));
    return entries;
  }
}
