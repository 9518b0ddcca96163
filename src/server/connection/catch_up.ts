/**
 * Brings a new subscription to the present: a snapshot, or every event since a position, then live.
 *
 * All or nothing: either the client gets every missed event in order, or a snapshot and every event
 * after it. When neither can be completed (the peer reads too slowly, the history is gone meanwhile) the
 * connection is closed, so that the client resumes again; a gap is never skipped silently.
 *
 * @module
 */
import { encodeNotice } from "../../protocol/codec.ts";
import type { ActionParams, ResumeMode } from "../../protocol/actions.ts";
import type { StoredEntry } from "../../registry/entry_text.ts";
import { eventMatcher, type SequencedHead } from "../../registry/filter.ts";
import type { Registry } from "../../registry/registry.ts";
import { MAX_PAGE_SIZE } from "../../model/limits.ts";
import { SNAPSHOT_PAGE_BYTES, TURN_PIECE_MS } from "../limits.ts";
import type { EncodedEvent } from "./event_ring.ts";
import type { EventFanout, Subscriber } from "./event_fanout.ts";
import type { ServiceScope } from "../access/scope.ts";
import type { SendQueue } from "./send_queue.ts";
import type { Subscription, SubscriptionSet } from "./subscriptions.ts";
import type { Turns, Work } from "./turns.ts";

/** The parts of a connection that catching up uses. */
export interface CatchUpContext {
  /** The registry. */
  registry: Registry;
  /** The fan-out with the recent events. */
  fanout: EventFanout;
  /** The send queue. */
  queue: SendQueue;
  /** The connection, for the fanout; its pages are sent in its turn. */
  subscriber: Subscriber;
  /** The services that it is limited to. Left out: all. */
  scope: ServiceScope | undefined;
  /** Scheduler of the event loop. */
  turns: Turns;
  /** While live events are held back: resolves when they are sent again. Else `null`. */
  resumed(): Promise<void> | null;
  /** Updates the fan-out's index of what the live subscriptions want. */
  index(): void;
  /** All subscriptions of the connection. */
  subscriptions: SubscriptionSet;
}

/** Chooses how a subscription begins. `since` wins over `snapshot` where it can be honoured. */
export async function chooseResume(
  params: ActionParams<"subscribe">,
  { registry, fanout }: CatchUpContext,
): Promise<ResumeMode> {
  const { since, snapshot } = params;
  if (since === undefined) return snapshot === true ? "snapshot" : "live";
  if (since.epoch !== registry.epoch || since.seq > fanout.seq) return "snapshot";
  if (fanout.isRecent(since.seq)) return "replayed";
  // Only checks whether the history is kept: a limit of 0 reads nothing.
  return await registry.history(since.seq, 0) === null ? "snapshot" : "replayed";
}

/**
 * Sends what a subscription has missed and makes it live. Resolves false when that could not be completed
 * and the connection must be closed; true also when the subscription was ended meanwhile.
 */
export async function catchUp(
  subscription: Subscription,
  resume: ResumeMode,
  context: CatchUpContext,
): Promise<boolean> {
  if (resume === "snapshot" && !await sendSnapshot(subscription, context)) return true;
  const { fanout, queue, subscriber, subscriptions, turns } = context;
  while (isWanted(subscription, context)) {
    // Events held back will still be sent: only when none are is it known what was sent already.
    const resumed = context.resumed();
    if (resumed !== null) {
      await resumed;
      continue;
    }
    if (subscription.position < fanout.seq) {
      if (!queue.isReady) {
        await queue.ready();
        continue;
      }
      const batch = await fanout.page(subscription.position);
      if (batch === null || batch.length === 0) return false;
      await turns.once(subscriber, () => replayPage(subscription, batch, context));
      continue;
    }
    // Nothing may come between these checks and going live: no await here.
    subscription.live = true;
    context.index();
    if (resume !== "live" && !subscriptions.catchingUp) fanout.bookmark(subscriber);
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
  const { fanout, queue, subscriber, subscriptions, turns } = context;
  for (;;) {
    await queue.ready();
    if (queue.closed) return false;
    if (held.position === fanout.seq) return true;
    const batch = await fanout.page(held.position);
    if (batch === null || batch.length === 0 || queue.closed) return false;
    await turns.once(subscriber, () => {
      if (!queue.isReady) return;
      held.position = sendBatch(batch, context, (event) => subscriptions.wants(event));
    });
  }
}

/** Sends a page, unless another waiter has used the room or the position has moved. */
function replayPage(
  subscription: Subscription,
  batch: readonly EncodedEvent[],
  context: CatchUpContext,
): void {
  const { queue, subscriptions } = context;
  if (context.resumed() !== null || !queue.isReady || !isWanted(subscription, context)) return;
  subscription.position = sendBatch(
    batch,
    context,
    (event) => subscription.wants(event) && !subscriptions.hasSent(event, subscription),
  );
}

/** Sends the matching events of a batch within its time; returns the seq up to which it was checked. */
function sendBatch(
  batch: readonly EncodedEvent[],
  { queue, turns }: CatchUpContext,
  wanted: (event: SequencedHead) => boolean,
): number {
  let position = 0;
  let sent = 0;
  const end = performance.now() + TURN_PIECE_MS;
  for (const { event, text } of batch) {
    // A few events can be large: the rest is sent when there is room. And globs can be slow.
    if (sent > SNAPSHOT_PAGE_BYTES || (position > 0 && performance.now() > end)) break;
    if (wanted(event)) {
      queue.pushLarge(text, "many");
      sent += text.length;
    }
    position = event.seq;
  }
  turns.spend(sent);
  return position;
}

/** Sends the present registry in pages; false when the subscription ended meanwhile. */
async function sendSnapshot(
  subscription: Subscription,
  context: CatchUpContext,
): Promise<boolean> {
  const { registry, fanout, queue, subscriber, turns } = context;
  const seq = fanout.seq;
  const entries = registry.select({});
  subscription.from = seq;
  subscription.position = seq;
  const { services } = subscription;
  const matches = eventMatcher(services === null ? {} : { services });
  const wants = ({ name, id }: StoredEntry) =>
    (context.scope?.covers(name) ?? true) &&
    matches({ event: "registry_loaded", data: { service: name, id } });
  const frames = snapshotFrames(entries, wants, seq);
  for (;;) {
    while (!queue.isReady) await queue.ready();
    if (!isWanted(subscription, context)) return false;
    const ended = await turns.run(subscriber, sendFrame(frames, subscription, context));
    if (ended !== false) return ended === true;
  }
}

/** Sends the next frame of a snapshot; true after the last, `null` when it is no longer wanted. */
function* sendFrame(
  frames: Generator<string | null>,
  subscription: Subscription,
  context: CatchUpContext,
): Work<boolean | null> {
  const { queue } = context;
  while (queue.isReady) {
    if (!isWanted(subscription, context)) return null;
    const { done, value } = frames.next();
    if (done === true) return true;
    if (value !== null) {
      queue.pushLarge(value);
      context.turns.spend(value.length);
      return false;
    }
    yield;
  }
  return false;
}

/** The frames of a snapshot, built lazily; at least one. `null` = a piece of work without a frame. */
function* snapshotFrames(
  entries: Iterable<StoredEntry>,
  wants: (entry: StoredEntry) => boolean,
  seq: number,
): Generator<string | null> {
  let page: string[] = [];
  let size = 0;
  let pieceEnd = performance.now() + TURN_PIECE_MS;
  for (const entry of entries) {
    if (performance.now() > pieceEnd) {
      yield null;
      pieceEnd = performance.now() + TURN_PIECE_MS;
    }
    if (!wants(entry)) continue;
    const text = entry.text;
    if (page.length >= MAX_PAGE_SIZE || (size > 0 && size + text.length > SNAPSHOT_PAGE_BYTES)) {
      yield snapshotPage(page, true, seq);
      page = [];
      size = 0;
      pieceEnd = performance.now() + TURN_PIECE_MS;
    }
    page.push(text);
    size += text.length;
  }
  yield snapshotPage(page, false, seq);
}

/** Entries are encoded once to know their size; the frame is assembled around their text. */
function snapshotPage(entries: readonly string[], more: boolean, seq: number): string {
  const frame = encodeNotice("registry_loaded", { services: [], more }, { seq });
  return frame.replace('"services":[]', () => `"services":[${entries.join(",")}]`);
}
