/**
 * Encodes every event of the registry once and sends it to the subscribers that want it.
 *
 * Subscribers are indexed by event type, so that the hot path for a plain subscription is one Set
 * iteration and one send; only subscriptions that name services are matched event by event.
 *
 * @module
 */
import type { ServerLimits } from "../../model/server_limits.ts";
import { REPLAY_BATCH_EVENTS, SNAPSHOT_PAGE_BYTES } from "../limits.ts";
import { encodeEvent, encodeNotice } from "../../protocol/codec.ts";
import type { EventType, RegistryEvent } from "../../model/event.ts";
import type { Registry } from "../../registry/registry.ts";
import type { EventHead } from "../../registry/filter.ts";
import { type EncodedEvent, EventRing } from "./event_ring.ts";
import { Replays } from "./replays.ts";
import type { Turns } from "./turns.ts";

/** The view of a connection that the fan-out needs. */
export interface Subscriber {
  /** Seq of the last event or bookmark sent. Set by the fan-out. */
  lastSeq: number;
  /** The fan-out's tick at that moment. Set by the fan-out. */
  lastTick: number;
  /** Whether a replay is under way: a bookmark would be premature. */
  readonly catchingUp: boolean;
  /** Queues a frame. Must not throw. */
  deliver(text: string): void;
  /** Whether one of its live subscriptions wants an event. */
  wants(event: EventHead): boolean;
  /** Whether that check can be slow. @default {no} */
  readonly isSlow?: boolean;
  /** Makes it catch up in its own turn with the events after a seq. */
  fallBehind?(seq: number): void;
}

/** What a subscriber wants of each event type: all events, or those of some services. */
export type Interest = ReadonlyMap<EventType, "all" | "some">;

/** Sends events to subscribers and keeps the recent ones. */
export class EventFanout {
  readonly #ring: EventRing;
  readonly #replays: Replays;
  readonly #limits: ServerLimits;
  readonly #turns: Turns | null;
  readonly #unsubscribe: () => void;
  readonly #all = new Map<EventType, Set<Subscriber>>();
  readonly #some = new Map<EventType, Set<Subscriber>>();
  readonly #subscribers = new Set<Subscriber>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #tick = 0;
  #sinceScan = 0;

  /** Starts listening to a registry. With `turns`, slow matching is bounded to a message's time per turn. */
  constructor(registry: Registry, limits: ServerLimits, turns: Turns | null = null) {
    this.#limits = limits;
    this.#turns = turns;
    this.#replays = new Replays(registry);
    this.#ring = new EventRing(registry.seq, {
      maxSeqs: limits.replayRingEvents,
      maxBytes: limits.replayRingBytes,
    });
    this.#unsubscribe = registry.subscribe((event) => this.#publish(event));
  }

  /** Seq of the last event sent. */
  get seq(): number {
    return this.#ring.seq;
  }

  /** Whether the events after `seq` are all in memory. */
  isRecent(seq: number): boolean {
    return this.#ring.covers(seq);
  }

  /** A page of the events after `seq`, or `null` when they are not all kept. */
  page(seq: number): EncodedEvent[] | Promise<EncodedEvent[] | null> {
    const recent = this.#ring.eventsAfter(seq, REPLAY_BATCH_EVENTS, SNAPSHOT_PAGE_BYTES);
    return recent ?? this.#replays.after(seq);
  }

  /** Sets what a subscriber wants; an empty map removes it. */
  set(subscriber: Subscriber, interest: Interest): void {
    this.#move(subscriber, interest, this.#all, "all");
    this.#move(subscriber, interest, this.#some, "some");
    if (interest.size === 0) {
      this.#subscribers.delete(subscriber);
      if (this.#subscribers.size === 0) this.#stopTimer();
      return;
    }
    if (this.#subscribers.has(subscriber)) return;
    subscriber.lastSeq = this.seq;
    subscriber.lastTick = this.#tick;
    this.#subscribers.add(subscriber);
    this.#startTimer();
  }

  /** Sends a bookmark: the subscriber has everything up to now. */
  bookmark(subscriber: Subscriber, text: string = this.#bookmarkText()): void {
    subscriber.lastSeq = this.seq;
    subscriber.lastTick = this.#tick;
    subscriber.deliver(text);
  }

  /** Stops listening. Idempotent. */
  close(): void {
    this.#unsubscribe();
    this.#subscribers.clear();
    this.#all.clear();
    this.#some.clear();
    this.#stopTimer();
  }

  #publish(event: RegistryEvent): void {
    const text = encodeEvent(event);
    this.#ring.push(event, text);
    for (const subscriber of this.#all.get(event.event) ?? []) {
      this.#send(subscriber, event.seq, text);
    }
    for (const subscriber of this.#some.get(event.event) ?? []) {
      if (this.#wants(subscriber, event)) this.#send(subscriber, event.seq, text);
    }
    if (++this.#sinceScan >= this.#limits.bookmarkSkippedEvents / 2) this.#bookmarkSkippers();
  }

  /** Whether an event is wanted; false also for a subscriber that has to check that in its own turn. */
  #wants(subscriber: Subscriber, event: RegistryEvent): boolean {
    const turns = this.#turns;
    if (turns === null || subscriber.isSlow !== true) return subscriber.wants(event);
    if (turns.isSpent && subscriber.fallBehind !== undefined) {
      subscriber.fallBehind(event.seq - 1);
      return false;
    }
    const begun = performance.now();
    const wanted = subscriber.wants(event);
    turns.used(performance.now() - begun);
    return wanted;
  }

  #send(subscriber: Subscriber, seq: number, text: string): void {
    subscriber.lastSeq = seq;
    subscriber.lastTick = this.#tick;
    subscriber.deliver(text);
  }

  /** Checks at half the allowed number, so that nobody skips more than allowed. */
  #bookmarkSkippers(): void {
    const text = this.#bookmarkText();
    const oldest = this.seq - this.#sinceScan;
    this.#sinceScan = 0;
    for (const subscriber of this.#subscribers) {
      if (subscriber.lastSeq <= oldest && !subscriber.catchingUp) this.bookmark(subscriber, text);
    }
  }

  #onTick(): void {
    const text = this.#bookmarkText();
    for (const subscriber of this.#subscribers) {
      if (subscriber.lastTick < this.#tick && !subscriber.catchingUp) {
        this.bookmark(subscriber, text);
        subscriber.lastTick = this.#tick + 1;
      }
    }
    this.#tick++;
  }

  #bookmarkText(): string {
    return encodeNotice("bookmark", {}, { seq: this.seq });
  }

  #move(
    subscriber: Subscriber,
    interest: Interest,
    index: Map<EventType, Set<Subscriber>>,
    kind: "all" | "some",
  ): void {
    for (const [type, set] of index) {
      if (interest.get(type) !== kind) set.delete(subscriber);
    }
    for (const [type, wanted] of interest) {
      if (wanted !== kind) continue;
      const set = index.get(type) ?? new Set();
      index.set(type, set.add(subscriber));
    }
  }

  /** Two ticks an interval: a subscriber that got nothing for a whole tick gets a bookmark at the next. */
  #startTimer(): void {
    this.#timer ??= setInterval(() => this.#onTick(), this.#limits.bookmarkIntervalMs / 2);
  }

  #stopTimer(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
