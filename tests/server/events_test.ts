/** Subscriptions, order, resume and snapshots. */
import assert from "node:assert/strict";
import { eventually, type Frame, RawClient } from "../helpers/raw_client.ts";
import { RawSocket } from "../helpers/raw_socket.ts";
import { LISTENERS, service, startServer } from "../helpers/test_server.ts";
import { Registry } from "../../src/registry/registry.ts";
import { MAX_LOG_FOLLOWS } from "../../src/server/limits.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";

const ALL = [
  "service_registered",
  "service_updated",
  "service_deregistered",
  "service_state_changed",
  "endpoint_updated",
  "health_check_result",
  "deployment_progress",
];

/** The events of the registry among some frames. */
function registryEvents(frames: Frame[]): Frame[] {
  return frames.filter((frame) => ALL.includes(frame["event"]));
}

/** All registry events up to a seq, waiting for them. */
async function eventsUpTo(client: RawClient, seq: number): Promise<Frame[]> {
  const events: Frame[] = [];
  for (;;) {
    const frame = await client.event();
    if (ALL.includes(frame["event"])) events.push(frame);
    if (frame["seq"] >= seq) return events;
  }
}

for (const listener of LISTENERS) {
  const name = (text: string) => `${listener} server ${text}`;

  Deno.test(name("acknowledges before the first event"), async () => {
    await using running = await startServer({ listener });
    await using client = await RawClient.ready(running.url);
    // Requests that race with the subscription, in the same packet where possible.
    const id = client.ask("subscribe");
    const asked = Array.from(
      { length: 20 },
      (_, i) => client.ask("register_service", { service: service(`s-${i}`) }),
    );
    for (const one of [id, ...asked]) {
      await client.take((frame) => frame["id"] === one, "its response");
    }
    // Whoever was first: one more is after all of them.
    await client.call("register_service", { service: service("last") });
    const events = await eventsUpTo(client, 21);
    const ack = client.log.findIndex((frame) => frame["id"] === id);
    const first = client.log.findIndex((frame) => frame["event"] === "service_registered");
    assert.ok(ack >= 0 && ack < first);
    const from = client.log[ack]?.["data"].seq;
    assert.deepEqual(
      events.map((event) => event["seq"]),
      Array.from({ length: 21 - from }, (_, i) => from + 1 + i),
    );
  });

  Deno.test(name("sends one event per change to subscribers"), async () => {
    await using running = await startServer({ listener });
    await using states = await RawClient.ready(running.url);
    await using all = await RawClient.ready(running.url);
    await using nobody = await RawClient.ready(running.url);
    const ack = await states.call("subscribe", { events: ["service_state_changed"] });
    assert.deepEqual(ack["subscribed"], ["service_state_changed"]);
    assert.equal(ack["resumed"], "live");
    assert.equal(ack["epoch"], running.registry.epoch);
    assert.deepEqual((await all.call("subscribe"))["subscribed"], ALL);
    const { registry } = running;
    await registry.register(service("api"));
    await registry.update("api", { state: "starting", state_reason: "because" });
    await registry.update("api", { state: "starting" }).catch(() => {});
    await registry.update("api", {
      endpoints: [{ name: "http", address: "[::1]:80", protocol: "http", metadata: {} }],
    });
    await registry.update("api", { labels: {} }); // no change, no event
    await registry.deregister("api");
    const seen = await eventsUpTo(all, registry.seq);
    assert.deepEqual(seen.map((e) => e["event"]), [
      "service_registered",
      "service_state_changed",
      "endpoint_updated",
      "service_deregistered",
    ]);
    assert.deepEqual(seen.map((e) => e["seq"]), [1, 2, 3, 4]);
    assert.ok(seen.every((e) => e["data"].service === "api" && e["data"].id === "api"));
    const changed = await states.event("service_state_changed");
    const { old_state, new_state, reason } = changed["data"];
    assert.deepEqual([old_state, new_state, reason], ["registered", "starting", "because"]);
    await nobody.call("list_services");
    await states.call("list_services");
    assert.deepEqual(registryEvents(nobody.drain()), []);
    assert.deepEqual(registryEvents(states.drain()), []);
  });

  Deno.test(name("accepts the names of its own events"), async () => {
    await using running = await startServer({ listener });
    await using client = await RawClient.ready(running.url);
    const own = ["hello", "registry_loaded", "bookmark", "server_draining"];
    const ack = await client.call("subscribe", { events: [...own, "service_registered"] });
    assert.deepEqual(ack["subscribed"], ["service_registered", ...own]);
    await running.registry.register(service("a"));
    await running.registry.update("a", { state: "starting" });
    await running.registry.deregister("a");
    await running.registry.register(service("b"));
    assert.deepEqual((await eventsUpTo(client, 4)).map((event) => event["seq"]), [1, 4]);
    assert.deepEqual((await client.call("unsubscribe", { events: own }))["subscribed"], [
      "service_registered",
    ]);
  });

  Deno.test(name("filters by id, name and glob"), async () => {
    await using running = await startServer({ listener });
    await using client = await RawClient.ready(running.url);
    await client.call("subscribe", { services: ["db", "api-*", "web@host-?"] });
    const ids = ["api", "api-1", "db", "db-2", "web@host-1", "web@host-10", "web"];
    for (const id of ids) {
      await running.registry.register({ ...service(id.replace(/@.*/, "")), id });
    }
    await client.call("list_services");
    const seen = registryEvents(client.drain()).map((event) => event["data"].id);
    assert.deepEqual(seen, ["api-1", "db", "web@host-1"]);
  });

  Deno.test(name("adds subscriptions up and sends an event once"), async () => {
    await using running = await startServer({ listener });
    await using client = await RawClient.ready(running.url);
    await client.call("subscribe", { events: ["service_registered"] });
    const second = await client.call("subscribe", { services: ["a*"] });
    assert.deepEqual(second["subscribed"], ALL);
    await client.call("subscribe", { events: ["service_registered"], services: ["b"] });
    await running.registry.register(service("a"));
    await running.registry.register(service("b"));
    await running.registry.update("a", { state: "starting" });
    await running.registry.update("b", { state: "starting" });
    await client.call("list_services");
    const seen = registryEvents(client.drain()).map((e) => `${e["event"]} ${e["data"].id}`);
    assert.deepEqual(seen, [
      "service_registered a",
      "service_registered b",
      "service_state_changed a",
    ]);
  });

  Deno.test(name("sends nothing after the response to unsubscribe"), async () => {
    await using running = await startServer({ listener });
    await using client = await RawClient.ready(running.url);
    const one = await client.call("subscribe", {
      events: ["service_registered", "service_updated"],
    });
    const two = await client.call("subscribe", { events: ["service_state_changed"] });
    let left = await client.call("unsubscribe", { events: ["service_updated"] });
    assert.deepEqual(left["subscribed"], ["service_registered", "service_state_changed"]);
    await running.registry.register(service("a"));
    assert.equal((await client.event())["event"], "service_registered");
    left = await client.call("unsubscribe", { subscription: one["subscription"] });
    assert.deepEqual(left["subscribed"], ["service_state_changed"]);
    await running.registry.register(service("b"));
    await running.registry.update("b", { state: "starting" });
    assert.equal((await client.event())["event"], "service_state_changed");
    // Events under way when the unsubscribe arrives must come before its answer.
    const changes = Array.from(
      { length: 50 },
      (_, i) => running.registry.register(service(`c-${i}`)),
    );
    client.ask("subscribe", { events: ["service_registered"] });
    const id = client.ask("unsubscribe");
    await Promise.all(changes);
    await running.registry.register(service("last"));
    await client.call("list_services");
    const answered = client.log.findIndex((frame) => frame["id"] === id);
    assert.deepEqual(client.log[answered]?.["data"], { subscribed: [] });
    assert.deepEqual(registryEvents(client.log.slice(answered)), []);
    assert.equal(
      (await client.fail("unsubscribe", { subscription: two["subscription"] }))["code"],
      "not_found",
    );
  });

  Deno.test(name("replays exactly the missed events in order"), async () => {
    await using running = await startServer({ listener });
    const { registry } = running;
    for (let i = 0; i < 30; i++) await registry.register(service(`s-${i}`));
    await using client = await RawClient.ready(running.url);
    const ack = await client.call("subscribe", {
      since: { epoch: registry.epoch, seq: 10 },
      snapshot: true,
    });
    assert.equal(ack["resumed"], "replayed");
    await registry.register(service("later"));
    const events = await eventsUpTo(client, 31);
    assert.deepEqual(events.map((e) => e["seq"]), Array.from({ length: 21 }, (_, i) => 11 + i));
    assert.equal(client.log.some((frame) => frame["event"] === "registry_loaded"), false);
    // Nothing was missed: replayed, with nothing to replay.
    const none = await client.call("subscribe", { since: { epoch: registry.epoch, seq: 31 } });
    assert.equal(none["resumed"], "replayed");
  });

  Deno.test(name("replays older events from the store"), async () => {
    await using running = await startServer({ listener, limits: { replayRingEvents: 5 } });
    const { registry } = running;
    for (let i = 0; i < 1200; i++) await registry.register(service(`s-${i}`));
    await using client = await RawClient.ready(running.url);
    const ack = await client.call("subscribe", {
      since: { epoch: registry.epoch, seq: 100 },
      events: ["service_registered"],
    });
    assert.equal(ack["resumed"], "replayed");
    const changes = Array.from({ length: 20 }, (_, i) => registry.register(service(`t-${i}`)));
    await Promise.all(changes);
    const events = await eventsUpTo(client, 1220);
    assert.deepEqual(events.map((e) => e["seq"]), Array.from({ length: 1120 }, (_, i) => 101 + i));
  });

  Deno.test(name("takes a snapshot where it cannot resume"), async () => {
    await using registry = await Registry.open(new MemoryStore({ historyEvents: 5 }));
    for (let i = 0; i < 20; i++) await registry.register(service(`s-${i}`));
    await using running = await startServer({ listener, registry });
    for (
      const since of [
        { epoch: "another", seq: 19 },
        { epoch: registry.epoch, seq: 3 },
        { epoch: registry.epoch, seq: 999 },
      ]
    ) {
      await using client = await RawClient.ready(running.url);
      const ack = await client.call("subscribe", { since });
      assert.equal(ack["resumed"], "snapshot", JSON.stringify(since));
      const page = await client.event();
      assert.equal(page["event"], "registry_loaded");
      assert.equal(page["seq"], registry.seq);
      assert.equal(page["data"].services.length, 20);
      assert.equal(page["data"].more, false);
      assert.equal((await client.event("bookmark"))["seq"], registry.seq);
    }
  });

  Deno.test(
    name("pages a snapshot without a gap"),
    async () => {
      // A small queue makes the pages wait, so that changes fall between them.
      await using running = await startServer({
        listener,
        limits: { maxSendQueueBytes: 32 * 1024 },
      });
      const { registry } = running;
      await Promise.all(
        Array.from({ length: 2500 }, (_, i) => registry.register(service(`s-${i}`))),
      );
      await using client = await RawClient.ready(running.url);
      let going = true;
      const changing = (async () => {
        for (let i = 0; going; i++) {
          await registry.register(service(`t-${i}`));
          await new Promise((resolve) => setTimeout(resolve));
        }
      })();
      const ack = client.ask("subscribe", { snapshot: true });
      const known = new Set<string>();
      let page: Frame;
      let pages = 0;
      do {
        page = await client.event("registry_loaded");
        for (const entry of page["data"].services) known.add(entry.id);
        pages++;
      } while (page["data"].more);
      assert.ok(pages > 5);
      const snapshotAt = page["seq"];
      await eventually(() => registry.seq > snapshotAt + 20, "more changes");
      going = false;
      await changing;
      let position = snapshotAt;
      for (const event of await eventsUpTo(client, registry.seq)) {
        assert.equal(event["seq"], ++position);
        known.add(event["data"].id);
      }
      assert.equal(position, registry.seq);
      assert.equal(known.size, registry.list().length);
      const [answered, began] = [
        client.log.findIndex((frame) => frame["id"] === ack),
        client.log.findIndex((frame) => frame["event"] === "registry_loaded"),
      ];
      assert.ok(answered < began);
    },
  );

  Deno.test(
    name("sends one empty page for an empty snapshot"),
    async () => {
      await using running = await startServer({ listener });
      await using client = await RawClient.ready(running.url);
      await client.call("subscribe", { snapshot: true });
      assert.deepEqual((await client.event())["data"], { services: [], more: false });
      for (const id of ["api-1", "api-2", "db"]) await running.registry.register(service(id));
      await client.call("subscribe", { snapshot: true, services: ["api-*"] });
      const page = await client.event("registry_loaded");
      assert.deepEqual(page["data"].services.map((e: Frame) => e["id"]), ["api-1", "api-2"]);
    },
  );

  Deno.test(name("sends an event of two subscriptions once"), async () => {
    await using running = await startServer({ listener, limits: { replayRingEvents: 3 } });
    const { registry } = running;
    for (let i = 0; i < 50; i++) await registry.register(service(`s-${i}`));
    await using client = await RawClient.ready(running.url);
    await client.call("subscribe", { services: ["t-*"] });
    for (let i = 0; i < 10; i++) await registry.register(service(`t-${i}`));
    client.ask("subscribe", { since: { epoch: registry.epoch, seq: 0 } });
    await Promise.all(Array.from({ length: 40 }, (_, i) => registry.register(service(`t-x${i}`))));
    // A bookmark may come before the replay, too: only the events show that it has ended.
    await eventually(() => registryEvents(client.log).length >= 100, "the replay has ended");
    await client.call("list_services");
    const seqs = registryEvents(client.log).map((event) => event["seq"]).toSorted((a, b) => a - b);
    assert.deepEqual(seqs, Array.from({ length: 100 }, (_, i) => i + 1));
  });

  Deno.test(
    name("sends bookmarks to idle subscribers"),
    async () => {
      await using running = await startServer({
        listener,
        limits: { bookmarkIntervalMs: 60, bookmarkSkippedEvents: 100 },
      });
      await using client = await RawClient.ready(running.url);
      await client.call("subscribe", { services: ["quiet"] });
      const idle = await client.event();
      assert.deepEqual([idle["event"], idle["seq"], idle["data"]], ["bookmark", 0, {}]);
      let position = 0;
      for (let i = 0; i < 1000; i++) await running.registry.register(service(`noise-${i}`));
      await client.call("list_services", { limit: 1 });
      for (const frame of client.log.filter((f) => f["event"] === "bookmark")) {
        assert.ok(frame["seq"] - position <= 100, `skipped ${frame["seq"] - position} events`);
        position = frame["seq"];
      }
      assert.ok(position > 900);
    },
  );

  Deno.test(name("shares a log stream until its last reader"), async () => {
    const lines = new TransformStream<string, string>();
    const writer = lines.writable.getWriter();
    const follows: string[] = [];
    const ended = Promise.withResolvers<void>();
    await using running = await startServer({
      listener,
      services: {
        act: () => Promise.reject(new Error("not asked")),
        logs: () => Promise.resolve({ lines: [] }),
        async *follow(id, signal) {
          follows.push(id);
          signal.addEventListener("abort", () => ended.resolve(), { once: true });
          for await (const line of lines.readable) yield line;
        },
      },
    });
    await running.registry.register(service("api"));
    await using one = await RawClient.ready(running.url);
    const two = await RawClient.ready(running.url);
    const params = { events: ["service_log"], services: ["api"] };
    assert.deepEqual((await one.call("subscribe", params))["subscribed"], ["service_log"]);
    await one.call("subscribe", params);
    await two.call("subscribe", params);
    await writer.write("héllo");
    for (const client of [one, two]) {
      const event = await client.event("service_log");
      assert.deepEqual(event["data"], { service: "api", id: "api", line: "héllo" });
      assert.equal("seq" in event, false);
    }
    assert.deepEqual(follows, ["api"]);
    const noGlob = await one.fail("subscribe", { events: ["service_log"], services: ["a*"] });
    assert.equal(noGlob["code"], "invalid_params");
    const unknown = await one.fail("subscribe", { events: ["service_log"], services: ["nope"] });
    assert.equal(unknown["code"], "not_found");
    await two.close();
    await one.call("unsubscribe", { events: ["service_log"] });
    await ended.promise;
    await writer.close();
    assert.equal(one.drain().filter((f) => f["event"] === "service_log").length, 0);
  });

  Deno.test(name("bounds the logs that are followed"), async () => {
    let follows = 0;
    await using running = await startServer({
      listener,
      services: {
        act: () => Promise.reject(new Error("not asked")),
        logs: () => Promise.resolve({ lines: [] }),
        async *follow(_id, signal) {
          follows++;
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          follows--;
          yield* [];
        },
      },
    });
    const names = Array.from({ length: MAX_LOG_FOLLOWS + 1 }, (_, i) => `s${i}`);
    for (const one of names) await running.registry.register(service(one));
    await using client = await RawClient.ready(running.url);
    await using other = await RawClient.ready(running.url);
    const ask = (services: string[]) => ({ events: ["service_log"], services });
    const refused = await client.fail("subscribe", ask(names));
    assert.equal(refused["code"], "rate_limited");
    await client.call("subscribe", ask(names.slice(1)));
    await other.call("subscribe", ask(names.slice(5, 9))); // they are followed already
    assert.equal((await other.fail("subscribe", ask(["s0"])))["code"], "rate_limited");
    assert.equal(follows, MAX_LOG_FOLLOWS);
    await client.close();
    await eventually(() => Promise.resolve(follows === 4), "nobody reads the others");
    await other.call("subscribe", ask(["s0"]));
  });

  Deno.test(name("retries a log that could not be read"), async () => {
    let attempts = 0;
    await using running = await startServer({
      listener,
      services: {
        act: () => Promise.reject(new Error("not asked")),
        logs: () => Promise.resolve({ lines: [] }),
        async *follow() {
          if (++attempts === 1) throw new Error("no such file");
          yield `attempt ${attempts}`;
        },
      },
    });
    await running.registry.register(service("api"));
    await using client = await RawClient.ready(running.url);
    const params = { events: ["service_log"], services: ["api"] };
    await client.call("subscribe", params);
    await client.call("subscribe", params);
    assert.equal((await client.event("service_log"))["data"].line, "attempt 2");
    await client.call("unsubscribe");
  });

  Deno.test(name("loses no event of a peer that reads late"), async () => {
    // It reads when all was published, however long that takes: late, but no slow consumer.
    const limits = { sendStallTimeoutMs: 60_000 };
    await using running = await startServer({ listener, limits });
    const { registry } = running;
    await registry.register(service("api"));
    using late = await RawSocket.open({ port: running.server.port });
    const subscribe = JSON.stringify({ id: "1", type: "request", action: "subscribe" });
    await late.text(subscribe);
    const frames = late.frames();
    for (const _ of ["hello", "acknowledgement"]) await frames.next();
    await using other = await RawClient.ready(running.url);
    await other.call("subscribe");
    for (let i = 0; i < 4000; i++) {
      await registry.update("api", { labels: { note: `${i} ${"x".repeat(4000)}` } });
      if (i % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const expected = Array.from({ length: 4000 }, (_, i) => 2 + i);
    const events = (await eventsUpTo(other, 4001)).map((event) => event["seq"]);
    assert.deepEqual(events, expected);
    const seen: number[] = [];
    for await (const { opcode, payload } of frames) {
      assert.equal(opcode, 1, "a close frame or a ping");
      const frame = JSON.parse(new TextDecoder().decode(payload));
      if (ALL.includes(frame.event)) seen.push(frame.seq);
      if (seen.at(-1) === 4001) break;
    }
    assert.deepEqual(seen, expected);
  });
}
