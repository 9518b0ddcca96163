/** Weak clients that ask for much: what is done for one is bounded by bytes and time, and others have their turn. */
import { resolveLimits } from "../../src/model/server_limits.ts";
import assert from "node:assert/strict";
import { encodedEntries, entryText, PARSED_ENTRIES_BYTES } from "../../src/registry/entry_text.ts";
import { Registry } from "../../src/registry/registry.ts";
import { cascadePlan } from "../../src/server/services/action_plan.ts";
import { ConnectionHandler } from "../../src/server/handler.ts";
import type { ServerSocket } from "../../src/server/connection/server_socket.ts";
import type { Services } from "../../src/server/backends.ts";
import { TURN_BYTES } from "../../src/server/limits.ts";
import { EventFanout } from "../../src/server/connection/event_fanout.ts";
import { Inbox, InboxSpace } from "../../src/server/connection/inbox.ts";
import { LogReads } from "../../src/server/services/service_logs.ts";
import { Replays } from "../../src/server/connection/replays.ts";
import { Turns, type Work } from "../../src/server/connection/turns.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";
import { eventually, type Frame, RawClient } from "../helpers/raw_client.ts";
import { LISTENERS, service, startServer } from "../helpers/test_server.ts";

/** A socket whose peer takes everything at once, or nothing. */
class Peer implements ServerSocket {
  readonly sent: string[] = [];
  queued = 0;
  reads: boolean;

  constructor({ reads = true } = {}) {
    this.reads = reads;
  }

  send(text: string): void {
    this.sent.push(text);
    if (!this.reads) this.queued += text.length;
  }

  close(): void {}

  bufferedBytes(): number {
    return this.queued;
  }

  /** The answers so far. */
  answers(): Frame[] {
    return this.sent.map((text): Frame => JSON.parse(text))
      .filter((frame) => frame["type"] === "response");
  }
}

function request(id: string, action: string, params: unknown = {}): string {
  return JSON.stringify({ id, type: "request", action, params });
}

async function fleet(size: number, padding = 400): Promise<Registry> {
  const registry = await Registry.open(new MemoryStore());
  const labels = { note: "x".repeat(padding) };
  for (let i = 0; i < size; i++) await registry.register(service(`s-${i}`, { labels }));
  return registry;
}

function* pieces(log: string[], name: string, count: number): Work<string> {
  for (let i = 0; i < count; i++) {
    const end = performance.now() + 1;
    while (performance.now() < end);
    log.push(name);
    yield;
  }
  return name;
}

Deno.test("Turns: owners have their turns, however much one asks", async () => {
  const turns = new Turns({ maxActive: 2 });
  const [greedy, modest] = [{}, {}];
  const log: string[] = [];
  const ended: string[] = [];
  const jobs = [
    ...Array.from({ length: 30 }, (_, i) => turns.run(greedy, pieces(log, `g${i}`, 3))),
    turns.run(modest, pieces(log, "m", 3)),
  ].map((job) => job.then((name) => ended.push(name ?? "gone")));
  await Promise.all(jobs);
  assert.ok(ended.indexOf("m") <= 3, ended.join(" "));
  assert.equal(log.length, 93);
  turns.close();
});

Deno.test("Turns: timers have their turn while there is work", async () => {
  const turns = new Turns();
  const log: string[] = [];
  const job = turns.run({}, pieces(log, "work", 60));
  let seen = 0;
  const timer = setInterval(() => log.push(`timer ${++seen}`), 1);
  await job;
  clearInterval(timer);
  assert.ok(seen >= 3, log.join(" "));
  turns.close();
});

Deno.test("Turns: what comes while time is left is done at once", () => {
  const turns = new Turns({ turnMs: 60_000 });
  const log: string[] = [];
  for (const name of ["a", "b", "c"]) void turns.once({}, () => log.push(name));
  assert.deepEqual(log, ["a", "b", "c"]);
  turns.spend(TURN_BYTES);
  void turns.once({}, () => log.push("in the next turn"));
  assert.equal(log.length, 3);
  turns.close();
});

Deno.test("Turns: nobody can tell which message is timed", () => {
  const turns = new Turns();
  const counts = Array.from({ length: 8000 }, () => turns.sample());
  // Whatever the distance of a client's costly messages, they are counted as often as they come.
  for (let distance = 1; distance <= 32; distance++) {
    for (let first = 0; first < distance; first++) {
      const own = counts.filter((_, at) => at % distance === first);
      const share = own.reduce((sum, count) => sum + count, 0) / own.length;
      assert.ok(share > 0.15 && share < 3, `each ${distance}th from ${first}: ${share}`);
    }
  }
});

Deno.test("Turns.leave(): ends all work of a closed connection", async () => {
  const turns = new Turns({ maxActive: 2 });
  const [gone, here] = [{}, {}];
  const log: string[] = [];
  const jobs = Array.from({ length: 20 }, () => turns.run(gone, pieces(log, "gone", 50)));
  const other = turns.run(here, pieces(log, "here", 3));
  turns.leave(gone);
  const before = log.filter((name) => name === "gone").length;
  assert.deepEqual(await Promise.all(jobs), jobs.map(() => null));
  assert.equal(await other, "here");
  assert.equal(log.filter((name) => name === "gone").length, before);
  assert.equal(turns.size, 0);
  turns.close();
});

Deno.test("StoredEntry: encoded once; only objects in use are kept", async () => {
  const before = encodedEntries();
  await using registry = await fleet(1200, 4000);
  assert.ok(1200 * 4000 > 2 * PARSED_ENTRIES_BYTES);
  const [first, ...others] = registry.select({});
  assert.ok(first !== undefined);
  const entry = first.entry;
  assert.equal(first.entry, entry);
  assert.equal(first.text, JSON.stringify(entry));
  for (const other of others) assert.equal(other.text, JSON.stringify(other.entry));
  // Two generations of the others have taken its place; whoever still has the old object has its text, too.
  assert.notEqual(first.entry, entry);
  assert.deepEqual(first.entry, entry);
  assert.ok(Object.isFrozen(first.entry.labels));
  assert.equal(entryText(entry), first.text);
  assert.equal(encodedEntries() - before, 1200);
});

for (const listener of LISTENERS) {
  Deno.test(`${listener} C1: a thousand equal lists are encoded once`, async () => {
    await using registry = await fleet(300);
    await using running = await startServer({ listener, registry });
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => RawClient.ready(running.url)),
    );
    const before = encodedEntries();
    for (const client of clients) {
      for (let i = 0; i < 50; i++) client.ask("list_services");
    }
    const isAnswer = (frame: Frame) => frame["type"] === "response";
    for (const client of clients) {
      for (let i = 0; i < 50; i++) {
        assert.equal((await client.take(isAnswer, `answer ${i}`))["data"].length, 300);
      }
      await client.close();
    }
    assert.ok(encodedEntries() - before <= 300, `${encodedEntries() - before} encodings`);
  });

  Deno.test(`${listener} C1: lists are right between changes`, async () => {
    await using running = await startServer({ listener });
    await using client = await RawClient.ready(running.url);
    for (let i = 0; i < 20; i++) {
      const name = `svc-${i}`;
      await client.call("register_service", { service: service(name) });
      assert.equal((await client.call("list_services"))["length"], i + 1);
      const page = await client.call("list_services", { name: "svc-*", limit: 1000 });
      assert.equal(page["services"].length, i + 1);
      assert.equal(page["seq"], running.registry.seq);
      const endpoints = [{ name: "http", address: `h:${i + 1}`, protocol: "http", metadata: {} }];
      await client.call("update_service", { name, endpoints });
      assert.equal((await client.call("list_endpoints"))[name][0].address, `h:${i + 1}`);
      assert.deepEqual(await client.call("list_services", { name }), [running.registry.get(name)]);
    }
  });
}

Deno.test("C1: nothing is made for a socket that is gone", async () => {
  await using registry = await fleet(6000, 2000);
  await using handler = new ConnectionHandler({ registry });
  const peers = Array.from({ length: 20 }, () => new Peer());
  const connections = peers.map((peer) => handler.open(peer));
  for (const connection of connections) {
    for (let i = 0; i < 64; i++) connection.onMessage(request(`${i}`, "list_services"));
  }
  for (const connection of connections) connection.onClose();
  // Nothing tells that no answer comes: time in which many of them would.
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual(peers.flatMap((peer) => peer.answers()), []);
});

Deno.test("C1: who does not read gets one large answer, not 64", async () => {
  await using registry = await fleet(3000);
  await using handler = new ConnectionHandler({ registry });
  const peer = new Peer({ reads: false });
  const connection = handler.open(peer);
  for (let i = 0; i < 64; i++) connection.onMessage(request(`${i}`, "list_services"));
  await eventually(() => peer.answers().length > 0, "the first answer");
  // Nothing tells that no other one comes: time in which many of them would.
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(peer.answers().length, 1);
  connection.onClose();
});

Deno.test("C1: a small request is answered while large ones are made", async () => {
  await using registry = await fleet(5000);
  await using handler = new ConnectionHandler({ registry });
  const peers = Array.from({ length: 20 }, () => new Peer());
  for (const [k, peer] of peers.entries()) {
    const connection = handler.open(peer);
    for (let i = 0; i < 10; i++) {
      // Each filter is another list.
      const params = { name: `s-*${"?*".repeat((k * 10 + i) % 4)}`, label: `note${k}${i}` };
      connection.onMessage(request(`${i}`, "list_services", params));
    }
  }
  const other = new Peer();
  handler.open(other).onMessage(request("1", "get_service", { name: "s-7" }));
  await eventually(() => other.answers().length === 1, "the small answer", 60_000);
  assert.equal(other.answers()[0]?.["data"].id, "s-7");
  const lists = peers.reduce((sum, peer) => sum + peer.answers().length, 0);
  assert.ok(lists < 100, `${lists} of 200 lists came before`);
  await eventually(
    () => peers.every((peer) => peer.answers().length === 10),
    "all lists",
  );
});

Deno.test("C1: a page of large entries ends by bytes and continues", async () => {
  await using running = await startServer({ listener: "deno" });
  const labels = Object.fromEntries(
    Array.from({ length: 50 }, (_, i) => [`l${i}`, "x".repeat(4000)]),
  );
  for (let i = 0; i < 60; i++) await running.registry.register(service(`s-${i}`, { labels }));
  await using client = await RawClient.ready(running.url);
  const ids: string[] = [];
  let cursor: string | undefined;
  for (let pages = 1;; pages++) {
    const page = await client.call("list_services", {
      limit: 1000,
      ...(cursor === undefined ? {} : { cursor }),
    });
    assert.ok(JSON.stringify(page).length < 5 * 1024 * 1024);
    ids.push(...page["services"].map((entry: Frame) => entry["id"]));
    if (page["next_cursor"] === null) {
      assert.equal(pages, 3);
      break;
    }
    cursor = page["next_cursor"];
  }
  assert.deepEqual(ids, running.registry.list().map(({ id }) => id));
});

Deno.test("entryText(): is the JSON of the entry", async () => {
  await using registry = await fleet(1);
  const entry = registry.get("s-0");
  assert.equal(entryText(entry), JSON.stringify(entry));
});

Deno.test("C2: subscribers who replay the same encode it once, in pages", async () => {
  await using registry = await fleet(1);
  for (let i = 0; i < 100; i++) {
    await registry.update("s-0", {
      version: `1.${i}`,
      labels: { a: "x".repeat(4000), b: "y".repeat(4000) },
    });
  }
  const replays = new Replays(registry);
  const walk = async (): Promise<number[]> => {
    const seqs: number[] = [];
    for (let at = 0; at < registry.seq;) {
      const page = await replays.after(at);
      assert.ok(page !== null && page.length > 0);
      const size = page.reduce((sum, { text }) => sum + text.length, 0);
      assert.ok(size < 2 * 128 * 1024, `a page of ${size} bytes`);
      seqs.push(...page.map(({ event }) => event.seq));
      at = seqs.at(-1) ?? 0;
    }
    return seqs;
  };
  const walks = await Promise.all(Array.from({ length: 30 }, walk));
  for (const seqs of walks) assert.deepEqual(seqs, Array.from({ length: 101 }, (_, i) => i + 1));
  assert.equal(replays.encoded, 101);
});

Deno.test("C2: what replays keep is bounded by bytes", async () => {
  await using registry = await fleet(1);
  const labels = { a: "x".repeat(4000) };
  for (let i = 0; i < 100; i++) await registry.update("s-0", { version: `1.${i}`, labels });
  const replays = new Replays(registry, 50_000);
  for (let at = 0; at < registry.seq;) {
    at = (await replays.after(at))?.at(-1)?.event.seq ?? Infinity;
    assert.ok(replays.bytes <= 50_000, `${replays.bytes} bytes`);
  }
});

Deno.test("C2: what replays keep is counted once, however it overlaps", async () => {
  await using registry = await fleet(600);
  const replays = new Replays(registry, 8 * 1024 * 1024);
  for (const seq of [500, 440, 300, 200, 0, 590]) await replays.after(seq);
  for (let seq = 0; seq < 600;) seq += (await replays.after(seq))?.length ?? Infinity;
  const { bytes } = replays;
  const all = new Replays(registry, 8 * 1024 * 1024);
  for (let seq = 0; seq < 600;) seq += (await all.after(seq))?.length ?? Infinity;
  assert.equal(bytes, all.bytes);
});

for (const listener of LISTENERS) {
  Deno.test(`C2 ${listener}: a large replay is complete and in order`, async () => {
    await using running = await startServer({ listener, limits: { replayRingBytes: 100_000 } });
    const { registry } = running;
    await registry.register(service("big"));
    const labels = Object.fromEntries(
      Array.from({ length: 15 }, (_, i) => [`l${i}`, "x".repeat(4000)]),
    );
    for (let i = 0; i < 60; i++) await registry.update("big", { version: `1.${i}`, labels });
    const clients = await Promise.all(
      Array.from({ length: 5 }, () => RawClient.ready(running.url)),
    );
    await Promise.all(clients.map(async (client) => {
      const since = { epoch: registry.epoch, seq: 1 };
      assert.equal((await client.call("subscribe", { since }))["resumed"], "replayed");
      for (let seq = 2; seq <= 61; seq++) {
        assert.equal((await client.event("service_updated"))["seq"], seq);
      }
      await client.close();
    }));
  });
}

/** `size` services, each of which needs the one before it: `c-0` needs none. */
async function chain(size: number): Promise<Registry> {
  const registry = await Registry.open(new MemoryStore());
  for (let i = 0; i < size; i++) {
    await registry.register(service(`c-${i}`, { depends_on: i === 0 ? [] : [`c-${i - 1}`] }));
  }
  return registry;
}

Deno.test("C7: a deep cycle is named by its ends", async () => {
  await using registry = await chain(8000);
  const error = await registry.update("c-0", { depends_on: ["c-7999"] }).then(
    () => assert.fail("no cycle"),
    (error) => error,
  );
  assert.equal(error.code, "invalid_params");
  assert.ok(error.message.length < 500, `${error.message.length} characters`);
  assert.match(error.message, /c-0 → c-7999 → .* more\) … → .*c-1 → c-0$/);
  assert.equal(error.details.cycle_length, 8000);
  assert.equal(error.details.cycle.length, 100);
});

Deno.test("C7: a cascade of 8,000 services visits each once", async () => {
  await using registry = await chain(8000);
  let looked = 0;
  const list = registry.list.bind(registry);
  registry.list = (filter) => {
    const found = list(filter);
    looked += found.length;
    return found;
  };
  const entry = registry.get("c-0");
  const plan = cascadePlan(registry, { entry, action: "stop", isStoppable: () => true });
  assert.equal(plan.length, 8000);
  assert.deepEqual(plan[0]?.services, ["c-7999"]);
  assert.ok(looked <= 40_000, `${looked} entries were looked at`);
  const top = registry.get("c-7999");
  const starts = cascadePlan(registry, { entry: top, action: "start", isStoppable: () => true });
  assert.deepEqual(starts[0]?.services, ["c-0"]);
});

Deno.test("C7: dependents are right whatever changes", async () => {
  await using registry = await Registry.open(new MemoryStore());
  const names = Array.from({ length: 12 }, (_, i) => `n-${i}`);
  let random = 7;
  const pick = (below: number) => (random = (random * 16807) % 2147483647) % below;
  for (let step = 0; step < 600; step++) {
    const i = 1 + pick(11);
    const id = pick(3) === 0 ? `n-${i}@h-${pick(3)}` : `n-${i}`;
    const depends_on = names.slice(0, i).filter(() => pick(3) === 0);
    const known = registry.list().some((entry) => entry.id === id);
    if (known && pick(4) === 0) await registry.deregister(id);
    else await registry.register(service(`n-${i}`, { id, depends_on }), { replace: true });
    const name = names[pick(12)] ?? "";
    const expected = registry.list().filter((entry) => entry.depends_on.includes(name));
    assert.deepEqual(
      [...registry.dependentsOf(name)].sort(),
      [...new Set(expected.map((entry) => entry.name))].sort(),
    );
  }
});

Deno.test("C1: small requests are answered in order, and others between", async () => {
  await using registry = await fleet(3);
  const limits = { maxInFlightRequests: 1e6, maxRequestsPerSecond: 1e6 };
  await using handler = new ConnectionHandler({ registry, limits });
  const flooders = Array.from({ length: 10 }, () => new Peer());
  for (const connection of flooders.map((peer) => handler.open(peer))) {
    for (let i = 0; i < 3000; i++) {
      connection.onMessage(request(`${i}`, "get_service", { name: "s-1" }));
    }
  }
  // All of it in one turn of the event loop: most of it waits.
  const answered = () => flooders.reduce((sum, peer) => sum + peer.sent.length - 1, 0);
  assert.ok(answered() < 15_000, `${answered()} answers in one turn`);
  const other = new Peer();
  const connection = handler.open(other);
  for (const id of ["a", "b", "c"]) {
    connection.onMessage(request(id, "get_service", { name: "s-2" }));
  }
  await eventually(() => other.sent.length === 4, "the other's answers");
  assert.deepEqual(other.answers().map(({ id }) => id), ["a", "b", "c"]);
  assert.ok(answered() < 30_000, "before all of the flood");
  await eventually(() => answered() === 30_000, "all answers");
  for (const peer of flooders) {
    assert.deepEqual(
      peer.answers().map(({ id }) => Number(id)),
      Array.from({ length: 3000 }, (_, i) => i),
    );
  }
});

Deno.test("C1: what waits of one connection is bounded by bytes", async () => {
  await using registry = await fleet(3);
  const limits = { maxInFlightRequests: 4, maxMessageBytes: 10_000, maxRequestsPerSecond: 1e6 };
  await using handler = new ConnectionHandler({ registry, limits });
  const closed: number[] = [];
  const peer = Object.assign(new Peer(), { close: (code: number) => void closed.push(code) });
  const connection = handler.open(peer);
  const text = request("1", "get_service", { name: "s-1", more: "x".repeat(5000) });
  for (let i = 0; i < 50_000 && closed.length === 0; i++) connection.onMessage(text);
  assert.deepEqual(closed, [4429]);
  const before = peer.sent.length;
  // Nothing tells that no answer comes: time in which those that waited would.
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(peer.sent.length, before);
});

Deno.test("C7: logs are read a few at a time, and for nobody who left", async () => {
  let [running, most, reads] = [0, 0, 0];
  const services: Services = {
    act: () => Promise.reject(new Error("not asked for")),
    async *follow() {},
    async logs({ name }) {
      reads++;
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
      return { lines: [name] };
    },
  };
  const logs = new LogReads(services, 3);
  const here = { signal: new AbortController().signal, by: "test", isGone: false };
  const gone = { ...here };
  const equal = Array.from({ length: 50 }, () => logs.read({ name: "a", tail: 10_000 }, here));
  const others = Array.from({ length: 10 }, (_, i) => logs.read({ name: `b-${i}` }, here));
  const theirs = Array.from({ length: 10 }, (_, i) => logs.read({ name: `c-${i}` }, gone));
  const left = Promise.allSettled(theirs);
  gone.isGone = true;
  assert.deepEqual((await Promise.all(equal)).map(({ lines }) => lines[0]), equal.map(() => "a"));
  assert.equal((await Promise.all(others)).length, 10);
  assert.ok((await left).every(({ status }) => status === "rejected"));
  assert.equal(most, 3);
  assert.ok(reads <= 2 + 10, `${reads} reads`);
});

Deno.test("C2: who has slow globs is not asked in a spent turn", async () => {
  await using registry = await Registry.open(new MemoryStore());
  const turns = new Turns();
  const fanout = new EventFanout(registry, resolveLimits(), turns);
  let asked = 0;
  const behind: number[] = [];
  const subscriber = {
    lastSeq: 0,
    lastTick: 0,
    catchingUp: false,
    isSlow: true,
    deliver() {},
    wants: () => ++asked > 0,
    fallBehind: (seq: number) => void behind.push(seq),
  };
  fanout.set(subscriber, new Map([["service_registered", "some"]]));
  await registry.register(service("a"));
  assert.deepEqual([asked, behind], [1, []]);
  turns.used(1000);
  await registry.register(service("b"));
  assert.deepEqual([asked, behind], [1, [1]]);
  turns.close();
  fanout.close();
});

for (const listener of LISTENERS) {
  Deno.test(`C2 ${listener}: slow globs get all events in order`, async () => {
    await using running = await startServer({ listener });
    const { registry } = running;
    const name = "a".repeat(100);
    await registry.register(service(name));
    const change = (i: number) => registry.update(name, { labels: { i: String(i) } });
    for (let i = 0; i < 300; i++) await change(i);
    const services = [
      ...Array.from({ length: 254 }, (_, i) => `*${"a".repeat(40)}?b*${i}`),
      "*a",
    ];
    const clients: RawClient[] = [];
    for (let i = 0; i < 4; i++) {
      const client = await RawClient.ready(running.url);
      clients.push(client);
      const since = { epoch: registry.epoch, seq: i % 2 === 0 ? 0 : registry.seq };
      await client.call("subscribe", { services, since });
    }
    for (let i = 0; i < 300; i++) await change(i);
    for (const [i, client] of clients.entries()) {
      const first = i % 2 === 0 ? 1 : 302;
      for (let seq = first; seq <= registry.seq;) {
        const frame = await client.next();
        if (frame["type"] !== "event" || frame["event"] === "bookmark") continue;
        assert.equal(frame["seq"], seq++);
      }
      await client.close();
    }
  });
}

Deno.test("C3: waiting messages are bounded for all connections", async () => {
  const turns = new Turns({ turnMs: 0 });
  const space = new InboxSpace(1000);
  const read: string[] = [];
  const full: string[] = [];
  const inbox = (name: string) =>
    new Inbox({
      owner: {},
      turns,
      space,
      maxBytes: 100_000,
      read: (message) => read.push(`${name}${String(message).length}`),
      waitsFor: () => null,
      onFull: () => full.push(name),
    });
  const [hostile, other, late] = [inbox("h"), inbox("o"), inbox("l")];
  // This turn is used up, so that everything waits.
  turns.used(60_000);
  hostile.take("x".repeat(600));
  other.take("x".repeat(100));
  hostile.take("x".repeat(600));
  assert.deepEqual(full, ["h"]);
  assert.equal(hostile.size, 0, "what waited of it is forgotten");
  hostile.take("x".repeat(900));
  late.take("x".repeat(200));
  assert.deepEqual(full, ["h"], "a first message is always taken");
  late.take("x".repeat(200));
  assert.deepEqual(full, ["h", "l"]);
  await eventually(() => other.size + hostile.size + late.size === 0, "all are read");
  assert.deepEqual(read.toSorted(), ["h900", "o100"]);
  assert.equal(space.bytes, 0);
  turns.close();
});
