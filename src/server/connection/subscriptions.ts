/**
 * The subscriptions of one connection: additive, each with its own filter and position.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import { MAX_SUBSCRIPTION_GLOBS } from "../limits.ts";
import type { WireEventType } from "../../protocol/messages.ts";
import { EVENT_TYPES, type EventType } from "../../model/event.ts";
import { type EventHead, eventMatcher, type SequencedHead } from "../../registry/filter.ts";
import { isGlob } from "../../util/glob.ts";
import type { Interest } from "./event_fanout.ts";
import type { ServiceScope } from "../access/scope.ts";

/** All that `subscribe` may name, in the order in which it is reported. */
const WIRE_EVENTS = Object.keys(
  {
    ...Object.fromEntries(EVENT_TYPES.map((type) => [type, true])) as Record<EventType, true>,
    service_log: true,
    hello: true,
    registry_loaded: true,
    bookmark: true,
    server_draining: true,
  } satisfies Record<WireEventType, true>,
) as WireEventType[];

/** Up to this number of subscriptions, matching is fast. */
const FEW_SUBSCRIPTIONS = 8;

/** One subscription. */
export class Subscription {
  /** Number within its connection, rising. */
  readonly number: number;
  /** Ids, names and globs, or `null` for all. */
  readonly services: readonly string[] | null;
  /** Event types; `unsubscribe` may remove some. */
  readonly types: Set<WireEventType>;
  /** Matching events after this seq belong to it. */
  from: number;
  /** Every matching event from {@linkcode from} up to this seq was sent. Unused once live. */
  position: number;
  /** Whether it has caught up and gets events from the fan-out. */
  live = false;
  readonly #matchesService: (event: EventHead) => boolean;
  readonly #scope: ServiceScope | undefined;

  /** A subscription to `types` of `services` within `scope`, after `position`. */
  constructor(
    number: number,
    types: readonly WireEventType[],
    services: readonly string[] | null,
    position: number,
    scope?: ServiceScope,
  ) {
    this.#scope = scope;
    this.number = number;
    this.types = new Set(types);
    this.services = services;
    this.from = position;
    this.position = position;
    this.#matchesService = eventMatcher(services === null ? {} : { services });
  }

  /** Id, unique within its connection. */
  get id(): string {
    return `s-${this.number}`;
  }

  /** Whether it matches an event. */
  wants(event: EventHead): boolean {
    return this.types.has(event.event as WireEventType) && this.#matchesService(event) &&
      (this.#scope === undefined || this.#scope.covers(event.data.service));
  }

  /** Whether an event was already sent because of it. */
  hasSent(event: SequencedHead): boolean {
    return event.seq > this.from && (this.live || event.seq <= this.position) && this.wants(event);
  }
}

/** Events already sent because of an ended subscription, or of types removed from one. */
interface Ended {
  /** Its {@linkcode Subscription.hasSent} covers what was sent. */
  readonly past: Subscription;
  /** Number of the newest subscription at that time: later ones ignore it. */
  readonly newest: number;
}

/** All subscriptions of a connection. */
export class SubscriptionSet {
  readonly #max: number;
  readonly #scope: ServiceScope | undefined;
  readonly #byId = new Map<string, Subscription>();
  /** What subscriptions that are still catching up must not send a second time. */
  #ended: Ended[] = [];
  #counter = 0;

  /** An empty set of at most `max` subscriptions, none of which gets events from outside `scope`. */
  constructor(max: number, scope?: ServiceScope) {
    this.#max = max;
    this.#scope = scope;
  }

  /** Number of subscriptions. */
  get size(): number {
    return this.#byId.size;
  }

  /** Whether `subscription` is still one of them. */
  has(subscription: Subscription): boolean {
    return this.#byId.get(subscription.id) === subscription && subscription.types.size > 0;
  }

  /**
   * Adds one.
   *
   * @throws {HarnessError} `too_large` when there are too many, or too many globs in them.
   */
  add(
    types: readonly WireEventType[],
    services: readonly string[] | null,
    position: number,
  ): Subscription {
    if (this.#byId.size >= this.#max) {
      throw new HarnessError(
        "too_large",
        `Too many subscriptions (limit ${this.#max}); unsubscribe from one first`,
      );
    }
    if (!this.catchingUp) this.#ended = [];
    if (this.#ended.length >= this.#max) {
      throw new HarnessError(
        "too_large",
        `Cannot subscribe: ${this.#ended.length} subscriptions were ended during a replay; wait for its bookmark first`,
      );
    }
    const globs = (services ?? []).filter(isGlob).length;
    if (this.#globs() + globs > MAX_SUBSCRIPTION_GLOBS) {
      throw new HarnessError(
        "too_large",
        `Too many globs in subscriptions (limit ${MAX_SUBSCRIPTION_GLOBS}); name services or unsubscribe first`,
      );
    }
    const subscription = new Subscription(++this.#counter, types, services, position, this.#scope);
    this.#byId.set(subscription.id, subscription);
    return subscription;
  }

  /**
   * Removes types from one subscription or from all; one without types ends. `liveSeq` is the last seq
   * that was sent to live subscriptions.
   *
   * @throws {HarnessError} `not_found` for an unknown subscription.
   */
  remove(
    types: readonly WireEventType[] | undefined,
    id: string | undefined,
    liveSeq: number,
  ): void {
    const chosen = id === undefined ? [...this.#byId.values()] : [this.#require(id)];
    for (const subscription of chosen) {
      const gone = (types ?? [...subscription.types]).filter((t) => subscription.types.has(t));
      for (const type of gone) subscription.types.delete(type);
      if (subscription.types.size === 0) this.#byId.delete(subscription.id);
      this.#remember(subscription, gone, liveSeq);
    }
    if (!this.catchingUp) this.#ended = [];
  }

  /** Removes all. */
  clear(): void {
    this.#byId.clear();
    this.#ended = [];
  }

  /** The event types of all subscriptions together. */
  types(): WireEventType[] {
    return WIRE_EVENTS.filter((type) => this.#some((subscription) => subscription.types.has(type)));
  }

  /** Whether a live subscription wants an event. */
  wants(event: EventHead): boolean {
    return this.#some((subscription) => subscription.live && subscription.wants(event));
  }

  /** Whether matching can be slow: there are globs, or many subscriptions. */
  get isSlow(): boolean {
    return this.#byId.size > FEW_SUBSCRIPTIONS ||
      this.#some(({ services }) => services?.some(isGlob) === true);
  }

  /** Whether an event was already sent because of another subscription, even one that has ended. */
  hasSent(event: SequencedHead, except: Subscription): boolean {
    return this.#some((subscription) => subscription !== except && subscription.hasSent(event)) ||
      this.#ended.some(({ past, newest }) => except.number <= newest && past.hasSent(event));
  }

  /** Whether one is still catching up. */
  get catchingUp(): boolean {
    return this.#some((subscription) => !subscription.live);
  }

  /** What the live ones want, for the fan-out's index. */
  interest(): Interest {
    const interest = new Map<EventType, "all" | "some">();
    for (const { live, types, services } of this.#byId.values()) {
      if (!live) continue;
      for (const type of EVENT_TYPES.filter((t) => types.has(t))) {
        if (services === null && this.#scope === undefined) interest.set(type, "all");
        else if (!interest.has(type)) interest.set(type, "some");
      }
    }
    return interest;
  }

  #globs(): number {
    let count = 0;
    const all = [...this.#byId.values(), ...this.#ended.map(({ past }) => past)];
    for (const { services } of all) count += (services ?? []).filter(isGlob).length;
    return count;
  }

  /** Remembers what was sent because of a subscription that ends. */
  #remember(of: Subscription, types: readonly WireEventType[], liveSeq: number): void {
    const past = new Subscription(of.number, types, of.services, of.from, this.#scope);
    past.position = of.live ? liveSeq : of.position;
    if (types.length > 0 && past.position > past.from) {
      this.#ended.push({ past, newest: this.#counter });
    }
  }

  #require(id: string): Subscription {
    const subscription = this.#byId.get(id);
    if (subscription !== undefined) return subscription;
    throw new HarnessError(
      "not_found",
      `Cannot unsubscribe: this connection has no subscription "${id.slice(0, 64)}"`,
    );
  }

  #some(test: (subscription: Subscription) => boolean): boolean {
    for (const subscription of this.#byId.values()) {
      if (test(subscription)) return true;
    }
    return false;
  }
}
