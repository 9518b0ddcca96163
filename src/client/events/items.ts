/**
 * What a reader of events gets: events, and now and then a snapshot in place of events.
 *
 * @module
 */
import type { SubscribableEvent } from "../../protocol/actions.ts";
import type { WireEventMap } from "../../protocol/messages.ts";
import type { ServiceEntry } from "../../model/service.ts";
import type { EventType } from "../../model/event.ts";

/** A place in the order of events; give it as `since` to go on from there, also in another process. */
export interface Position {
  /** Lineage of the server's data. */
  epoch: string;
  /** Seq of the last event seen. */
  seq: number;
}

/** An event. Its `event` tells the type of its `data`. */
export type EventItem<E extends SubscribableEvent = SubscribableEvent> = {
  [T in E]: {
    /** Tells an event from a snapshot. */
    kind: "event";
    /** What happened. */
    event: T;
    /** Place in the order; `null` for log lines, which have none. */
    seq: T extends EventType ? number : null;
    /** When it happened, RFC 3339 UTC with milliseconds. */
    time: string;
    /** What happened, in detail. */
    data: WireEventMap[T];
  };
}[E];

/**
 * The whole truth at one moment: forget what you held before and take these services.
 * All later events are newer than it.
 */
export interface SnapshotItem {
  /** Tells a snapshot from an event. */
  kind: "snapshot";
  /** `requested` by you, or events were missed and could not be replayed. */
  why: "requested" | "events_missed";
  /** Lineage of the server's data. */
  epoch: string;
  /** The seq at which the snapshot is true. */
  seq: number;
  /** The services that the subscription's `services` match, sorted by id. */
  services: ServiceEntry[];
}

/** Log lines were left out because the reader was slower than the log. Only `service_log` can be dropped. */
export interface DroppedItem {
  /** Tells it from an event. */
  kind: "dropped";
  /** How many lines. */
  count: number;
}

/** What `for await` over {@linkcode RegistryClient.events} gives. */
export type StreamItem<E extends SubscribableEvent = SubscribableEvent> =
  | EventItem<E>
  | SnapshotItem
  | DroppedItem;
