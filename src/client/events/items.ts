/**
 * Items of an event stream: events, snapshots, and counts of dropped log lines.
 *
 * @module
 */
import type { SubscribableEvent } from "../../protocol/actions.ts";
import type { WireEventMap } from "../../protocol/messages.ts";
import type { ServiceEntry } from "../../model/service.ts";
import type { EventType } from "../../model/event.ts";

/** A position in the order of events; pass it as `since` to resume, also in another process. */
export interface Position {
  /** Lineage of the server's data. */
  epoch: string;
  /** Seq of the last event seen. */
  seq: number;
}

/** An event. Its `event` decides the type of its `data`. */
export type EventItem<E extends SubscribableEvent = SubscribableEvent> = {
  [T in E]: {
    /** Discriminator. */
    kind: "event";
    /** What happened. */
    event: T;
    /** Position in the order; `null` for log lines. */
    seq: T extends EventType ? number : null;
    /** When it happened, RFC 3339 UTC with milliseconds. */
    time: string;
    /** Details. */
    data: WireEventMap[T];
  };
}[E];

/**
 * The complete state at one moment: replace what you have. All later events are newer.
 */
export interface SnapshotItem {
  /** Discriminator. */
  kind: "snapshot";
  /** `requested`, or events were missed and cannot be replayed. */
  why: "requested" | "events_missed";
  /** Lineage of the server's data. */
  epoch: string;
  /** The seq of the snapshot. */
  seq: number;
  /** The services that the subscription's `services` match, sorted by id. */
  services: ServiceEntry[];
}

/** Log lines were dropped because the reader was too slow. Only `service_log` can be dropped. */
export interface DroppedItem {
  /** Discriminator. */
  kind: "dropped";
  /** How many lines. */
  count: number;
}

/** An item of {@linkcode RegistryClient.events}. */
export type StreamItem<E extends SubscribableEvent = SubscribableEvent> =
  | EventItem<E>
  | SnapshotItem
  | DroppedItem;
