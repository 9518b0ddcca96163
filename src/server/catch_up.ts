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
import type { RegistryEvent } from "../registry/events.ts";
import type { ServiceEntry } from "../registry/entry.ts";
import { entryText } from "../registry/entry_text.ts";
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
  /** While the connection's live events are held back: resolves when they are not. Else `null`. */
  resumed(): Promise<void> | null;
  /** Tells the hub what the live subscriptions want. */
  index(): void;
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
    // What is held back was not sent yet, but will be: only when nothing is can be said what was sent already.
    const resumed = context.resumed();
    if (resumed !== null) {
      await resumed;
      continue;
    }
    if (subscription.position < hub.seq) {
      if (!queue.isReady) {
        await queue.ready();
        continue;
      }
      const batch = await nextBatch(subscription.position, context);
      if (batch === null) return false;
      // Meanwhile the room may have gone to another who waited for it, too.
      if (context.resumed() !== null || !queue.isReady) continue;
      if (!isWanted(subscription, context)) return true;
      subscription.position = sendBatch(
        batch,
        queue,
        (event) => subscription.wants(event) && !subscriptions.hasSent(event, subscription),
      );
      continue;
    }
    // Nothing may come between these checks and going live: no await here.
    subscription.live = true;
    context.index();
    if (resume !== "live" && !subscriptions.catchingUp) hub.bookmark(subscriber);
    return true;
  }
  return true;
}

function isWanted(subscription: Subscription, { queue, subscriptions }: CatchUpContext): boolean {
  return !queue.closed && subscriptions.has(subscription);
}

/**
 * Sends the events that live subscriptions were not sent while the queue was full, and moves `held.position`
 * along. Resolves true when they may be live again, in the same turn in which nothing more is missing.
 */
export async function catchUpLive(
  held: { position: number },
  context: CatchUpContext,
): Promise<boolean> {
  const { hub, queue, subscriptions } = context;
  for (;;) {
    await queue.ready();
    if (queue.closed) return false;
    if (held.position === hub.seq) return true;
    const batch = await nextBatch(held.position, context);
    if (batch === null || queue.closed) return false;
    if (!queue.isReady) continue;
    held.position = sendBatch(batch, queue, (event) => subscriptions.wants(event));
  }
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

/** Sends what is wanted of a batch; returns the seq up to which it was looked at. */
function sendBatch(
  batch: readonly EncodedEvent[],
  queue: SendQueue,
  wanted: (event: RegistryEvent) => boolean,
): number {
  let position = 0;
  let sent = 0;
  for (const { event, text } of batch) {
    // A few events can be as large as many: the rest comes when there is room.
    if (sent > SNAPSHOT_PAGE_BYTES) break;
    if (wanted(event)) {
      queue.pushLarge(text);
      sent += text.length;
    }
    position = event.seq;
  }
  return position;
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
    while (!queue.isReady) await queue.ready();
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
    const text = entryText(entry);
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
