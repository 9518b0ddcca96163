/** Subscriptions of one connection that overlap, while some are replayed and others end: once each, and no gap. */
import { resolveLimits } from "../../src/model/server_limits.ts";
import assert from "node:assert/strict";
import fc from "fast-check";
import { REPLAY_BATCH_EVENTS } from "../../src/server/limits.ts";
import { Registry } from "../../src/registry/registry.ts";
import type { EventType, RegistryEvent } from "../../src/model/event.ts";
import { ConnectionSubscriptions } from "../../src/server/connection/subscribe.ts";
import { ConnectionHandler } from "../../src/server/handler.ts";
import { EventFanout } from "../../src/server/connection/event_fanout.ts";
import { SendQueue } from "../../src/server/connection/send_queue.ts";
import type { ServerSocket } from "../../src/server/connection/server_socket.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";
import { eventually, type Frame, RawClient } from "../helpers/raw_client.ts";
import { SEED } from "../helpers/seed.ts";
import { LISTENERS, service, startServer } from "../helpers/test_server.ts";

/** A store whose history waits at a gate, once there is one. */
class GatedStore extends MemoryStore {
  gate: (() => Promise<void>) | null = null;
  readonly #reads = new Set<Promise<unknown>>();

  override history(afterSeq: number, limit: number): Promise<RegistryEvent[] | null> {
    const read = this.#read(afterSeq, limit);
    this.#reads.add(read);
    const done = () => this.#reads.delete(read);
    read.then(done, done);
    return read;
  }

  /** Resolves when nothing is being read: a replay that was ended does not wait for its last read. */
  async idle(): Promise<void> {
    while (this.#reads.size > 0) await Promise.allSettled(this.#reads);
  }

  async #read(afterSeq: number, limit: number): Promise<RegistryEvent[] | null> {
    await this.gate?.();
    return await super.history(afterSeq, limit);
  }
}

const counts = (seqs: readonly number[]): Map<number, number> => {
  const found = new Map<number, number>();
  for (const seq of seqs) found.set(seq, (found.get(seq) ?? 0) + 1);
  return found;
};

for (const listener of LISTENERS) {
  Deno.test(`${listener} server: no duplicates when a subscription ends`, async () => {
    const store = new GatedStore();
    await using registry = await Registry.open(store);
    // A queue that holds all events, and a filter that costs nothing: what is live must come without a read of history.
    const limits = { replayRingEvents: 5, maxSendQueueBytes: 16 * 1024 * 1024 };
    await using server = await startServer({ listener, registry, limits });
    await using client = await RawClient.ready(server.url);
    const live = await client.call("subscribe", {
      events: ["service_registered", "service_updated"],
    });
    const count = 3 * REPLAY_BATCH_EVENTS;
    for (let i = 0; i < count; i++) await registry.register(service(`s-${i}`));
    await registry.register(service("other"));
    await client.take((frame) => frame["seq"] === count + 1, "all events, live");

    // The replay stands still after its first batch; meanwhile its events' first bearer loses a type, and ends.
    let asked = 0;
    const reached = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    store.gate = async () => {
      if (++asked < 3) return;
      reached.resolve();
      await go.promise;
    };
    const since = { epoch: registry.epoch, seq: 0 };
    const ack = await client.call("subscribe", { since });
    assert.equal(ack["resumed"], "replayed");
    await reached.promise;
    const { subscription } = live as Frame;
    await client.call("unsubscribe", { subscription, events: ["service_registered"] });
    await client.call("unsubscribe", { subscription });
    go.resolve();
    const bookmark = await client.event("bookmark");
    assert.equal(bookmark["seq"], count + 1);
    const seqs = client.log.filter((frame) => frame["event"] === "service_registered")
      .map((frame) => frame["seq"] as number);
    const twice = [...counts(seqs)].filter(([, times]) => times > 1).map(([seq]) => seq);
    assert.deepEqual(twice, []);
    assert.deepEqual(seqs, Array.from({ length: count + 1 }, (_, i) => i + 1));

    // Who subscribes only now has not seen them: for it the ended subscription never was.
    client.drain();
    await client.call("unsubscribe");
    await client.call("subscribe", { since });
    assert.equal((await client.event("service_registered"))["seq"], 1);
  });
}

Deno.test("unsubscribe: ends a subscribe of the same packet", async () => {
  const store = new GatedStore();
  await using registry = await Registry.open(store);
  for (let i = 0; i < 10; i++) await registry.register(service(`s-${i}`));
  store.gate = () => new Promise((resolve) => setTimeout(resolve, 1));
  await using handler = new ConnectionHandler({ registry, limits: { replayRingEvents: 5 } });
  // One begins at once, the other has to look into the store first.
  for (const params of [{}, { since: { epoch: registry.epoch, seq: 0 } }]) {
    const frames: Frame[] = [];
    const connection = handler.open({
      send: (text) => void frames.push(JSON.parse(text)),
      close: () => {},
      bufferedBytes: () => 0,
    });
    for (const [id, action] of ["subscribe", "unsubscribe"].entries()) {
      connection.onMessage(JSON.stringify({ id: `${id}`, type: "request", action, params }));
    }
    const answers = () => frames.filter((frame) => frame["type"] === "response");
    await eventually(() => answers().length === 2, "both are answered");
    assert.deepEqual(answers().map((frame) => frame["id"]), ["0", "1"]);
    assert.deepEqual(answers()[1]?.["data"], { subscribed: [] });
    await registry.register(service(`after-${"since" in params}`));
    assert.deepEqual(frames.filter((frame) => frame["event"] === "service_registered"), []);
    connection.onClose();
    await store.idle();
  }
});

Deno.test("unsubscribe: leaves later subscriptions alone", async () => {
  const store = new GatedStore();
  await using registry = await Registry.open(store);
  for (let i = 0; i < 10; i++) await registry.register(service(`s-${i}`));
  const gate = Promise.withResolvers<void>();
  store.gate = () => gate.promise;
  await using handler = new ConnectionHandler({ registry, limits: { replayRingEvents: 5 } });
  const frames: Frame[] = [];
  const connection = handler.open({
    send: (text) => void frames.push(JSON.parse(text)),
    close: () => {},
    bufferedBytes: () => 0,
  });
  const since = { epoch: registry.epoch, seq: 0 };
  const asked = [["subscribe", { since }], ["unsubscribe", {}], ["subscribe", {}]] as const;
  for (const [id, [action, params]] of asked.entries()) {
    connection.onMessage(JSON.stringify({ id: `${id}`, type: "request", action, params }));
  }
  gate.resolve();
  const answers = () => frames.filter((frame) => frame["type"] === "response");
  await eventually(() => answers().length === 3, "all are answered");
  assert.deepEqual(answers().map((frame) => frame["id"]), ["0", "1", "2"]);
  await registry.register(service("after"));
  const seen = () => frames.filter((frame) => frame["event"] === "service_registered");
  await eventually(() => seen().some((frame) => frame["data"].id === "after"), "it is live");
  connection.onClose();
  await store.idle();
});

/** A socket that takes only as much as it is told to. */
class Valve implements ServerSocket {
  readonly seqs: number[] = [];
  open = true;
  #queued = 0;

  send(text: string): void {
    const frame: Frame = JSON.parse(text);
    if (frame["event"] !== "bookmark") this.seqs.push(frame["seq"]);
    if (!this.open) this.#queued += text.length;
  }

  set(open: boolean): void {
    this.open = open;
    if (open) this.#queued = 0;
  }

  bufferedBytes(): number {
    return this.#queued;
  }

  close(): void {}
}

/** One connection without its requests. */
async function connect(): Promise<
  AsyncDisposableStack & {
    registry: Registry;
    store: GatedStore;
    valve: Valve;
    subscriptions: ConnectionSubscriptions;
    closed: string[];
  }
> {
  const stack = new AsyncDisposableStack();
  const store = new GatedStore();
  const registry = stack.use(await Registry.open(store));
  stack.defer(() => store.idle());
  const limits = resolveLimits({ replayRingEvents: 3 });
  const fanout = stack.adopt(new EventFanout(registry, limits), (it) => it.close());
  const valve = new Valve();
  const closed: string[] = [];
  const queue = stack.adopt(
    new SendQueue(valve, {
      maxBytes: 4000, // a few events
      stallTimeoutMs: 60_000,
      onFull: () => subscriptions.pause(),
      onSlow: () => closed.push("slow"),
    }),
    (it) => it.close(),
  );
  const owner = {
    lastSeq: 0,
    lastTick: 0,
    get catchingUp(): boolean {
      return subscriptions.catchingUp;
    },
    deliver: (text: string) => queue.push(text),
    wants: (event: RegistryEvent) => subscriptions.wants(event),
    close: (_code: number, reason: string) => void closed.push(reason),
  };
  const subscriptions: ConnectionSubscriptions = new ConnectionSubscriptions(
    { backends: { registry }, fanout, logStreams: null, limits },
    owner,
    queue,
  );
  stack.defer(() => subscriptions.close());
  return Object.assign(stack, { registry, store, valve, subscriptions, closed });
}

async function subscribe(
  { subscriptions, registry }: { subscriptions: ConnectionSubscriptions; registry: Registry },
  { services, since }: { services: string; since: number | undefined },
): Promise<string> {
  const from = since === undefined ? {} : { since: { epoch: registry.epoch, seq: since } };
  const { subscription } = await subscriptions.subscribe({ services: [services], ...from });
  subscriptions.begin(subscription);
  return subscription;
}

/** Until nothing is on its way any more: all of it is timers of 10 ms and microtasks. */
async function settled(
  { subscriptions, valve, closed }: {
    subscriptions: ConnectionSubscriptions;
    valve: Valve;
    closed: string[];
  },
): Promise<void> {
  valve.set(true);
  for (let quiet = 0; quiet < 3 && closed.length === 0;) {
    const before = valve.seqs.length;
    // Nothing tells that nothing comes any more: longer than a timer.
    await new Promise((resolve) => setTimeout(resolve, 15));
    quiet = subscriptions.catchingUp || valve.seqs.length > before ? 0 : quiet + 1;
  }
}

Deno.test("ConnectionSubscriptions: no gap after held back events", async () => {
  await using line = await connect();
  const { registry, valve, subscriptions } = line;
  for (let i = 0; i < 20; i++) await registry.register(service(`s-${i}`));
  const live = await subscribe(line, { services: "*", since: undefined });
  // A peer that stops reading: the first live event still goes out, the next ones are held back.
  valve.set(false);
  for (let i = 20; i < 40; i++) await registry.register(service(`s-${i}`));
  assert.ok(valve.seqs.length < 20, "some are held back");
  await subscribe(line, { services: "*", since: 0 });
  // Nothing tells that it is held back: time in which it would be sent.
  await new Promise((resolve) => setTimeout(resolve, 30));
  subscriptions.unsubscribe({ subscription: live });
  await settled(line);
  assert.deepEqual(line.closed, []);
  assert.deepEqual(
    [...counts(valve.seqs)].sort(([a], [b]) => a - b),
    Array.from({ length: 40 }, (_, i) => [i + 1, 1]),
  );
});

/** What a client may do, and what may happen to it, while its subscriptions overlap. */
type Step =
  | { do: "publish"; count: number }
  | { do: "valve"; open: boolean }
  | { do: "wait" }
  | { do: "unsubscribe"; which: number; type: EventType | null };

const TYPES = ["service_registered", "service_updated"] as const satisfies EventType[];
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant("publish" as const), count: fc.integer({ min: 1, max: 12 }) }),
    fc.record({ do: fc.constant("valve" as const), open: fc.boolean() }),
    fc.record({ do: fc.constant("wait" as const) }),
    fc.record({
      do: fc.constant("unsubscribe" as const),
      which: fc.nat({ max: 4 }),
      type: fc.constantFrom(null, ...TYPES),
    }),
  ),
  { minLength: 1, maxLength: 14 },
);
const wanted = fc.record({
  services: fc.constantFrom("a-*", "b-*", "*"),
  since: fc.option(fc.nat({ max: 25 }), { nil: undefined }),
});

Deno.test("ConnectionSubscriptions: sends each event exactly once", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(wanted, { minLength: 1, maxLength: 4 }),
      wanted,
      steps,
      async (others, last, script) => {
        await using line = await connect();
        const { registry, valve, subscriptions, store } = line;
        const events: RegistryEvent[] = [];
        registry.subscribe((event) => events.push(event));
        let made = 0;
        const publish = async () => {
          const name = `${made % 2 === 0 ? "a" : "b"}-${made++ >> 1}`;
          const entry = await registry.register(service(name));
          if (made % 3 === 0) await registry.update(entry.id, { version: "2" });
        };
        for (let i = 0; i < 20; i++) await publish();
        store.gate = () => new Promise((resolve) => setTimeout(resolve, 0));
        const ids: string[] = [];
        for (const options of others) ids.push(await subscribe(line, options));
        // The last one stays to the end: it must miss nothing.
        const start = last.since ?? registry.seq;
        const keeper = await subscribe(line, last);
        for (const step of script) {
          if (step.do === "publish") { for (let i = 0; i < step.count; i++) await publish(); }
          else if (step.do === "valve") valve.set(step.open);
          else if (step.do === "wait") await new Promise((resolve) => setTimeout(resolve, 1));
          else {
            const subscription = ids[step.which];
            if (subscription === undefined) continue;
            const events = step.type === null ? {} : { events: [step.type] };
            try {
              subscriptions.unsubscribe({ subscription, ...events });
            } catch {
              // It has ended before.
            }
          }
        }
        await settled(line);
        assert.deepEqual(line.closed, [], "the peer reads again in time");
        const sent = counts(valve.seqs);
        for (const event of events) {
          const times = sent.get(event.seq) ?? 0;
          assert.ok(times <= 1, `${event.seq} was sent ${times} times`);
          const { service: name } = event.data;
          const isOf = last.services === "*" || name.startsWith(last.services.slice(0, 2));
          const asked = event.seq > start && isOf;
          if (asked) assert.equal(times, 1, `${event.seq} was asked for by ${keeper}`);
        }
      },
    ),
    { numRuns: 60, seed: SEED },
  );
});
