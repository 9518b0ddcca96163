/**
 * Brings a new subscription to the present: a snapshot, or every event since a position, then live.
 *
 * All or nothing: either the client gets every missed event in order, or a snapshot and every event
 * after it. When neither can be finished (the peer reads too slowly, the history is gone meanwhile) the
 * connection is closed, so that the client resumes anew; a gap is never passed over in silence.
 *
 * @module
 */
import { encodeEvent, encodeNotice } from "../protocol/codec.ts";
import type { ActionParams } from "../protocol/actions.ts";
import type { ServiceEntry } from "../registry/entry.ts";
import { isGlob, matchesGlob } from "../registry/filter.ts";
import type { Registry } from "../registry/registry.ts";
import { MAX_PAGE_SIZE, REPLAY_BATCH_EVENTS, SNAPSHOT_PAGE_BYTES } from "../limits.ts";
import type { EncodedEvent } from "./event_ring.ts";
import type { Hub, Subscriber } from "./hub.ts";
import type { SendQueue } from "./send_queue.ts";
import type { Subscription, SubscriptionSet } from "./subscriptions.ts";

/** How a subscription begins. */
export type Resume = "live" | "replayed" | "snapshot";

/** What catching up needs to know of its connection. */
export interface CatchUpContext {
  /** The registry. */
  registry: Registry;
  /** The fan-out with the recent events. */
  hub: Hub;
  /** Where to send. */
  queue: SendQueue;
  /** The connection, for the hub. */
  subscriber: Subscriber;
  /** All subscriptions of the connection. */
  subscriptions: SubscriptionSet;
}

/** How a subscribe with these params is to begin. `since` wins over `snapshot` where it can be honoured. */
export async function chooseResume(
  params: ActionParams<"subscribe">,
  { registry, hub }: CatchUpContext,
): Promise<Resume> {
  const { since, snapshot } = params;
  if (since === undefined) return snapshot === true ? "snapshot" : "live";
  if (since.epoch !== registry.epoch || since.seq > hub.seq) return "snapshot";
  if (hub.recent(since.seq, 1) !== null) return "replayed";
  return await registry.history(since.seq, 1) === null ? "snapshot" : "replayed";
}

/**
 * Sends what a subscription has missed and makes it live. Resolves false when it could not be finished
 * and the connection must go; true also when the subscription was ended meanwhile.
 */
export async function catchUp(
  subscription: Subscription,
  resume: Resume,
  context: CatchUpContext,
): Promise<boolean> {
  if (resume === "snapshot" && !await sendSnapshot(subscription, context)) return true;
  const { hub, queue, subscriber, subscriptions } = context;
  while (isWanted(subscription, context)) {
    const seq = hub.seq;
    if (subscription.position < seq) {
      const batch = await nextBatch(subscription.position, context);
      if (batch === null) return false;
      if (!isWanted(subscription, context)) return true;
      sendBatch(batch, subscription, context);
      if (!queue.isReady) await queue.ready();
      continue;
    }
    // Nothing may come between this check and going live: no await here.
    subscription.live = true;
    hub.set(subscriber, subscriptions.interest());
    if (resume !== "live" && !subscriptions.catchingUp) hub.bookmark(subscriber);
    return true;
  }
  return true;
}

function isWanted(subscription: Subscription, { queue, subscriptions }: CatchUpContext): boolean {
  return !queue.closed && subscriptions.has(subscription);
}

async function nextBatch(
  position: number,
  { hub, registry }: CatchUpContext,
): Promise<EncodedEvent[] | null> {
  const recent = hub.recent(position, REPLAY_BATCH_EVENTS);
  if (recent !== null) return recent;
  const events = await registry.history(position, REPLAY_BATCH_EVENTS);
  if (events === null || events.length === 0) return null;
  return events.map((event) => ({ event, text: encodeEvent(event) }));
}

function sendBatch(
  batch: readonly EncodedEvent[],
  subscription: Subscription,
  { queue, subscriptions }: CatchUpContext,
): void {
  let sent = 0;
  for (const { event, text } of batch) {
    // A few events can be as large as many: the rest comes when there is room.
    if (sent > SNAPSHOT_PAGE_BYTES) return;
    if (subscription.wants(event) && !subscriptions.hasSent(event, subscription)) {
      queue.pushLarge(text);
      sent += text.length;
    }
    subscription.position = event.seq;
  }
}

/** Sends the registry as of now in pages; false when the subscription ended on the way. */
async function sendSnapshot(
  subscription: Subscription,
  context: CatchUpContext,
): Promise<boolean> {
  const { registry, hub, queue } = context;
  const seq = hub.seq;
  const entries = registry.list().filter((entry) => isOf(entry, subscription.services));
  subscription.from = seq;
  subscription.position = seq;
  const pages = snapshotPages(entries, seq);
  for (const page of pages) {
    if (!queue.isReady) await queue.ready();
    if (!isWanted(subscription, context)) return false;
    queue.pushLarge(page);
  }
  return true;
}

/** The frames of a snapshot, each made when it is needed; there is always at least one. */
function* snapshotPages(entries: readonly ServiceEntry[], seq: number): Generator<string> {
  let page: string[] = [];
  let size = 0;
  for (const entry of entries) {
    const text = JSON.stringify(entry);
    if (page.length >= MAX_PAGE_SIZE || (size > 0 && size + text.length > SNAPSHOT_PAGE_BYTES)) {
      yield snapshotPage(page, true, seq);
      page = [];
      size = 0;
    }
    page.push(text);
    size += text.length;
  }
  yield snapshotPage(page, false, seq);
}

/** Entries are encoded once to know their size; the frame is put together around their text. */
function snapshotPage(entries: readonly string[], more: boolean, seq: number): string {
  const frame = encodeNotice("registry_loaded", { services: [], more }, { seq });
  return frame.replace('"services":[]', () => `"services":[${entries.join(",")}]`);
}

function isOf(entry: ServiceEntry, services: readonly string[] | null): boolean {
  return services === null ||
    services.some((wanted) =>
      wanted === entry.name || wanted === entry.id ||
      (isGlob(wanted) && (matchesGlob(wanted, entry.name) || matchesGlob(wanted, entry.id)))
    );
}
