/**
 * Bounded buffer between a connection and the reader of an event stream.
 *
 * Nothing is lost silently: when it is full, it stops taking events (`lagging`), and later events are fetched from
 * the server once the reader has caught up.
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

/** What the caller asked for. */
export interface EventBufferOptions {
  /** Event types. */
  events?: readonly SubscribableEvent[] | undefined;
  /** Instance ids, service names or globs. */
  services?: readonly string[] | undefined;
  /** Position to begin after. */
  since?: Position | undefined;
  /** Whether to begin with a snapshot. */
  snapshot?: boolean | undefined;
  /** Most events to keep. */
  bufferSize: number;
  /** Most characters of their JSON to keep; one event always fits. @default {CLIENT_EVENT_BUFFER_CHARS} */
  bufferChars?: number | undefined;
}

/**
 * `new`: never acknowledged; `off`: waits to be subscribed again; `snapshot`: collects pages; `live`: takes events;
 * `lagging`: waits for its reader; `ended`: takes nothing more.
 */
export type BufferPhase = "new" | "off" | "snapshot" | "live" | "lagging" | "ended";

interface Waiter {
  resolve(result: IteratorResult<StreamItem, undefined>): void;
  reject(error: Error): void;
}

const SEQUENCED: ReadonlySet<string> = new Set(EVENT_TYPES);

/** Events between a connection and a reader, and the position of both. */
export class EventBuffer {
  /** What the caller asked for. */
  readonly options: EventBufferOptions;
  /** Its state. */
  phase: BufferPhase = "new";
  /** Last position received; `null` before the first acknowledgement. */
  position: Position | null = null;
  /** Last position read. */
  readPosition: Position | null = null;
  /** Called when it starts to lag, and when a lagging reader has emptied it. */
  onChange: () => void = () => {};
  readonly #matches: (event: EventBody) => boolean;
  #items: Array<{ item: StreamItem; length: number }> = [];
  /** Characters of JSON in the buffer. */
  #chars = 0;
  #held: Array<{ message: EventMessage; length: number }> = [];
  #heldChars = 0;
  #heldOverflow = false;
  #waiters: Waiter[] = [];
  #dropped = 0;
  #error: Error | null = null;

  /** Creates a buffer that takes nothing yet. */
  constructor(options: EventBufferOptions) {
    this.options = options;
    // The matcher reads only event name, service and id, which log lines have, too.
    this.#matches = eventMatcher(this.filter as EventFilter);
  }

  /** Its filter, as params of `subscribe`. */
  get filter(): { events?: SubscribableEvent[]; services?: string[] } {
    const { events, services } = this.options;
    return {
      ...(events === undefined ? {} : { events: [...events] }),
      ...(services === undefined ? {} : { services: [...services] }),
    };
  }

  /** Whether its filter includes events that can be replayed; log lines cannot. */
  get hasReplayableEvents(): boolean {
    return this.options.events?.some((event) => event !== "service_log") ?? true;
  }

  /** Whether the reader has read everything. */
  get isDrained(): boolean {
    return this.#items.length === 0;
  }

  /** The server acknowledged a subscription that begins after `position`. */
  begin(position: Position): void {
    if (this.phase === "ended") return;
    this.phase = "live";
    this.position = position;
    this.readPosition ??= { ...position };
  }

  /** A snapshot follows: events are held back until it is complete. */
  beginSnapshot(): void {
    if (this.phase !== "ended") this.phase = "snapshot";
  }

  /** The snapshot is complete. */
  endSnapshot(position: Position, services: ServiceEntry[], why: SnapshotItem["why"]): void {
    if (this.phase !== "snapshot") return;
    const wanted = services.filter((entry) => this.#matchesService(entry));
    this.#push({ kind: "snapshot", why, ...position, services: wanted });
    // Not begin(): the read position moves only when the snapshot is read.
    this.phase = "live";
    this.position = { ...position };
    const held = this.#held;
    const overflow = this.#heldOverflow;
    this.#dropHeld();
    for (const { message, length } of held) this.accept(message, length);
    if (overflow && this.#isPhase("live")) this.#lag();
  }

  /** The connection is lost. */
  detach(): void {
    this.#dropHeld();
    if (this.phase === "live" || this.phase === "snapshot") {
      this.phase = this.position === null ? "new" : "off";
    }
  }

  /** Takes an event from the wire if it matches the filter and is new. */
  accept(message: EventMessage, length: number = 0): void {
    if (this.phase === "snapshot") return this.#hold(message, length);
    if (this.phase !== "live" || this.position === null) return;
    if (!SEQUENCED.has(message.event) || message.seq === undefined) {
      if (message.event === "service_log") this.#acceptLine(message, length);
      else if (message.event === "bookmark") this.#advance(message.seq);
      return;
    }
    if (message.seq <= this.position.seq) return;
    if (this.#matches(message as EventBody)) {
      if (this.#isFull(this.#items.length, this.#chars + length)) return this.#lag();
      this.#push(eventItem(message as EventMessage & { event: EventType; seq: number }), length);
    }
    this.#advance(message.seq);
  }

  /** The next item, as an async iterator returns it. */
  next(): Promise<IteratorResult<StreamItem, undefined>> {
    const first = this.#items.shift();
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

  /** No more events: the reader gets the buffered ones, then the error or the end. */
  end(error: Error | null): void {
    if (this.phase === "ended") return;
    this.phase = "ended";
    this.#dropHeld();
    for (const waiter of this.#waiters.splice(0)) {
      if (error === null) waiter.resolve({ done: true, value: undefined });
      else waiter.reject(error);
      error = null;
    }
    this.#error = error;
  }

  /** The reader has gone: drops everything. */
  discard(): void {
    this.#items = [];
    this.#chars = 0;
    this.#dropped = 0;
    this.end(null);
    this.#error = null;
  }

  #matchesService(entry: ServiceEntry): boolean {
    if (this.options.services === undefined) return true;
    const probe = { event: this.options.events?.[0] ?? "service_updated" };
    return this.#matches({ ...probe, data: { service: entry.name, id: entry.id } } as EventBody);
  }

  #isPhase(phase: BufferPhase): boolean {
    return this.phase === phase;
  }

  #hold(message: EventMessage, length: number): void {
    if (this.#heldOverflow || this.#isFull(this.#held.length, this.#heldChars + length)) {
      this.#heldOverflow = true;
      return;
    }
    this.#held.push({ message, length });
    this.#heldChars += length;
  }

  #dropHeld(): void {
    this.#held = [];
    this.#heldChars = 0;
    this.#heldOverflow = false;
  }

  /** Whether one more item is too many: `count` are there, and `chars` would be. */
  #isFull(count: number, chars: number): boolean {
    const { bufferSize, bufferChars = CLIENT_EVENT_BUFFER_CHARS } = this.options;
    return count >= bufferSize || (count > 0 && chars > bufferChars);
  }

  #advance(seq: number | undefined): void {
    if (this.position === null || seq === undefined || seq <= this.position.seq) return;
    this.position.seq = seq;
    // Nothing is unread, so the reader may resume from here.
    if (this.isDrained && this.readPosition !== null) this.readPosition = { ...this.position };
  }

  #lag(): void {
    this.phase = "lagging";
    this.onChange();
  }

  #acceptLine(message: EventMessage, length: number): void {
    if (!this.#matches(message as unknown as EventBody)) return;
    if (this.#isFull(this.#items.length, this.#chars + length)) {
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
      this.#items.push({ item, length });
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
