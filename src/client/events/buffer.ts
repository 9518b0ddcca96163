/**
 * The bounded buffer between the connection and one reader of events.
 *
 * Nothing is lost silently: a reader that lags more than the buffer is marked as lagging, and what came
 * meanwhile is fetched from the server again when the reader has caught up.
 *
 * @module
 */
import type { SubscribableEvent } from "../../protocol/actions.ts";
import type { EventMessage } from "../../protocol/messages.ts";
import type { ServiceEntry } from "../../model/service.ts";
import {
  EVENT_TYPES,
  type EventBody,
  type EventFilter,
  type EventType,
} from "../../model/event.ts";
import { eventMatcher } from "../../registry/filter.ts";
import { CLIENT_EVENT_BUFFER_CHARS } from "../limits.ts";
import type { Position, SnapshotItem, StreamItem } from "./items.ts";

/** What a reader asked for. */
export interface FeedOptions {
  /** Event types. */
  events?: readonly SubscribableEvent[];
  /** Instance ids, service names or globs. */
  services?: readonly string[];
  /** Where to begin. */
  since?: Position;
  /** Whether to begin with a snapshot. */
  snapshot?: boolean;
  /** Events kept for the reader. */
  bufferSize: number;
  /** Characters of their text kept, but for a single one. @default {CLIENT_EVENT_BUFFER_CHARS} */
  bufferChars?: number;
}

/**
 * Where a feed stands: `new` was never acknowledged, `off` waits to be subscribed (again), `snapshot`
 * collects pages, `live` takes events, `lagging` waits for its reader, `ended` takes nothing more.
 */
export type FeedPhase = "new" | "off" | "snapshot" | "live" | "lagging" | "ended";

interface Waiter {
  resolve(result: IteratorResult<StreamItem, undefined>): void;
  reject(error: Error): void;
}

const SEQUENCED: ReadonlySet<string> = new Set(EVENT_TYPES);

/** One reader's buffer and place. */
export class Feed {
  /** What the reader asked for. */
  readonly options: FeedOptions;
  /** Where it stands. */
  phase: FeedPhase = "new";
  /** Up to where the buffer has everything; `null` before the first acknowledgement. */
  position: Position | null = null;
  /** Up to where the reader has read. */
  readPosition: Position | null = null;
  /** Called when it began to lag, and when a lagging reader has emptied the buffer. */
  onChange: () => void = () => {};
  readonly #wants: (event: EventBody) => boolean;
  #buffer: Array<{ item: StreamItem; length: number }> = [];
  /** Characters of the text that the buffer was made of. */
  #chars = 0;
  #held: Array<{ message: EventMessage; length: number }> = [];
  #heldChars = 0;
  #heldTooMuch = false;
  #waiters: Waiter[] = [];
  #dropped = 0;
  #error: Error | null = null;

  /** Makes a feed that takes nothing yet. */
  constructor(options: FeedOptions) {
    this.options = options;
    // The matcher reads only the name, the service and the id, which log lines have too.
    this.#wants = eventMatcher(this.filter as EventFilter);
  }

  /** Its part of a `subscribe` request. */
  get filter(): { events?: SubscribableEvent[]; services?: string[] } {
    const { events, services } = this.options;
    return {
      ...(events === undefined ? {} : { events: [...events] }),
      ...(services === undefined ? {} : { services: [...services] }),
    };
  }

  /** Whether it wants events that can be resumed. */
  get wantsEvents(): boolean {
    return this.options.events?.some((event) => event !== "service_log") ?? true;
  }

  /** Whether the reader has read all that is there. */
  get isDrained(): boolean {
    return this.#buffer.length === 0;
  }

  /** The server acknowledged a subscription that begins after `position`. */
  begin(position: Position): void {
    if (this.phase === "ended") return;
    this.phase = "live";
    this.position = position;
    this.readPosition ??= { ...position };
  }

  /** The server announced a snapshot: events are held back until it is complete. */
  beginSnapshot(): void {
    if (this.phase !== "ended") this.phase = "snapshot";
  }

  /** The snapshot is complete. */
  endSnapshot(position: Position, services: ServiceEntry[], why: SnapshotItem["why"]): void {
    if (this.phase !== "snapshot") return;
    const wanted = services.filter((entry) => this.#wantsService(entry));
    this.#push({ kind: "snapshot", why, ...position, services: wanted });
    // Not begin(): the reader's own place moves only when it has read the snapshot.
    this.phase = "live";
    this.position = { ...position };
    const held = this.#held;
    const tooMuch = this.#heldTooMuch;
    this.#forgetHeld();
    for (const { message, length } of held) this.accept(message, length);
    if (tooMuch && this.#isPhase("live")) this.#lag();
  }

  /** The connection is gone. */
  detach(): void {
    this.#forgetHeld();
    if (this.phase === "live" || this.phase === "snapshot") {
      this.phase = this.position === null ? "new" : "off";
    }
  }

  /** Looks at an event from the wire and keeps it if it is wanted and new. */
  accept(message: EventMessage, length: number = 0): void {
    if (this.phase === "snapshot") return this.#hold(message, length);
    if (this.phase !== "live" || this.position === null) return;
    if (!SEQUENCED.has(message.event) || message.seq === undefined) {
      if (message.event === "service_log") this.#acceptLine(message, length);
      else if (message.event === "bookmark") this.#advance(message.seq);
      return;
    }
    if (message.seq <= this.position.seq) return;
    if (this.#wants(message as EventBody)) {
      if (this.#isFull(this.#buffer.length, this.#chars + length)) return this.#lag();
      this.#push(eventItem(message as EventMessage & { event: EventType; seq: number }), length);
    }
    this.#advance(message.seq);
  }

  /** The next item, as an async iterator gives it. */
  next(): Promise<IteratorResult<StreamItem, undefined>> {
    const first = this.#buffer.shift();
    if (first !== undefined) {
      const { item, length } = first;
      this.#chars -= length;
      this.#hasRead(item);
      return Promise.resolve({ done: false, value: item });
    }
    if (this.#dropped > 0) return Promise.resolve({ done: false, value: this.#droppedItem() });
    if (this.phase === "ended") {
      const error = this.#error;
      this.#error = null;
      return error === null
        ? Promise.resolve({ done: true, value: undefined })
        : Promise.reject(error);
    }
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /** No more events: the reader gets what is buffered, then the error or the end. */
  end(error: Error | null): void {
    if (this.phase === "ended") return;
    this.phase = "ended";
    this.#forgetHeld();
    for (const waiter of this.#waiters.splice(0)) {
      if (error === null) waiter.resolve({ done: true, value: undefined });
      else waiter.reject(error);
      error = null;
    }
    this.#error = error;
  }

  /** The reader has gone: nothing is kept. */
  discard(): void {
    this.#buffer = [];
    this.#chars = 0;
    this.#dropped = 0;
    this.end(null);
    this.#error = null;
  }

  #wantsService(entry: ServiceEntry): boolean {
    if (this.options.services === undefined) return true;
    const probe = { event: this.options.events?.[0] ?? "service_updated" };
    return this.#wants({ ...probe, data: { service: entry.name, id: entry.id } } as EventBody);
  }

  #isPhase(phase: FeedPhase): boolean {
    return this.phase === phase;
  }

  #hold(message: EventMessage, length: number): void {
    if (this.#heldTooMuch || this.#isFull(this.#held.length, this.#heldChars + length)) {
      this.#heldTooMuch = true;
      return;
    }
    this.#held.push({ message, length });
    this.#heldChars += length;
  }

  #forgetHeld(): void {
    this.#held = [];
    this.#heldChars = 0;
    this.#heldTooMuch = false;
  }

  /** Whether one more, with which there would be `chars`, is too many behind `count`. */
  #isFull(count: number, chars: number): boolean {
    const { bufferSize, bufferChars = CLIENT_EVENT_BUFFER_CHARS } = this.options;
    return count >= bufferSize || (count > 0 && chars > bufferChars);
  }

  #advance(seq: number | undefined): void {
    if (this.position === null || seq === undefined || seq <= this.position.seq) return;
    this.position.seq = seq;
    // Nothing unread lies before it, so the reader may go on from here as well.
    if (this.isDrained && this.readPosition !== null) this.readPosition = { ...this.position };
  }

  #lag(): void {
    this.phase = "lagging";
    this.onChange();
  }

  #acceptLine(message: EventMessage, length: number): void {
    if (!this.#wants(message as unknown as EventBody)) return;
    if (this.#isFull(this.#buffer.length, this.#chars + length)) {
      this.#dropped++;
      return;
    }
    if (this.#dropped > 0) this.#push(this.#droppedItem());
    const { time, data } = message as EventMessage & { event: "service_log" };
    this.#push({ kind: "event", event: "service_log", seq: null, time, data }, length);
  }

  #droppedItem(): StreamItem {
    const count = this.#dropped;
    this.#dropped = 0;
    return { kind: "dropped", count };
  }

  #push(item: StreamItem, length = 0): void {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) {
      this.#buffer.push({ item, length });
      this.#chars += length;
      return;
    }
    this.#hasRead(item);
    waiter.resolve({ done: false, value: item });
  }

  #hasRead(item: StreamItem): void {
    if (item.kind === "snapshot") this.readPosition = { epoch: item.epoch, seq: item.seq };
    if (item.kind === "event" && item.seq !== null && this.readPosition !== null) {
      this.readPosition.seq = item.seq;
    }
    if (this.phase === "lagging" && this.isDrained) this.onChange();
  }
}

function eventItem(message: EventMessage & { event: EventType; seq: number }): StreamItem {
  const { event, seq, time, data } = message;
  return { kind: "event", event, seq, time, data } as StreamItem;
}
