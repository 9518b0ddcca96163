/** Subscriptions: order, filters, once per connection, and the end of it. */
import assert from "node:assert/strict";
import { assertTime, callAll, type Check, type Frame, type RawClient } from "./check.ts";

const SEVEN = [
  "deployment_progress",
  "endpoint_updated",
  "health_check_result",
  "service_deregistered",
  "service_registered",
  "service_state_changed",
  "service_updated",
];

/** The params that change a label: one service_updated event. */
function touched(name: string, value: string): Frame {
  return { name, labels: { touched: value } };
}

/** Changes a label. */
async function touch(client: RawClient, name: string, value: string): Promise<void> {
  await client.call("update_service", touched(name, value));
}

/** The next event that is no bookmark. */
async function nextEvent(client: RawClient): Promise<Frame> {
  for (;;) {
    const frame = await client.event();
    if (frame["event"] !== "bookmark") return frame;
  }
}

/** Rules of the sections "Events" and "Subscriptions". */
export const EVENT_CHECKS: readonly Check[] = [
  {
    name: "subscribe acknowledges with types, id and position",
    async run(server) {
      const client = await server.open();
      const ack = await client.call("subscribe");
      assert.deepEqual(ack["subscribed"].toSorted(), SEVEN);
      assert.equal(typeof ack["subscription"], "string");
      assert.equal(ack["epoch"], server.hello["epoch"]);
      assert(Number.isSafeInteger(ack["seq"]));
      assert.equal(ack["resumed"], "live");
    },
  },
  {
    name: "an event has type, name, seq, time, service and id",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const name = server.name();
      await client.call("subscribe", { services: [name] });
      const entry = await server.register(client, { name });
      const event = await nextEvent(client);
      assert.deepEqual(Object.keys(event).sort(), ["data", "event", "seq", "time", "type"]);
      assert.equal(event["type"], "event");
      assert.equal(event["event"], "service_registered");
      assertTime(event["time"]);
      assert.deepEqual(event["data"], { service: name, id: name, entry });
    },
  },
  {
    name: "each change has one event of its kind, no change has none",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const watcher = await server.open();
      const name = server.name();
      await watcher.call("subscribe", { services: [name] });
      await server.register(client, { name });
      const endpoint = { name: "http", address: "[::1]:80", protocol: "http", metadata: {} };
      const changes = [
        { labels: { a: "1" } },
        { labels: { a: "1" } }, // nothing changed
        { version: "2.0.0" },
        { endpoints: [endpoint] },
        { endpoints: [endpoint] }, // nothing changed
        { state: "starting", state_reason: "by the check" },
      ];
      for (const change of changes) await client.call("update_service", { name, ...change });
      await client.call("deregister_service", { name });
      const events: Frame[] = [];
      do events.push(await nextEvent(watcher)); while (
        events.at(-1)?.["event"] !== "service_deregistered"
      );
      assert.deepEqual(events.map((event) => event["event"]), [
        "service_registered",
        "service_updated",
        "service_updated",
        "endpoint_updated",
        "service_state_changed",
        "service_deregistered",
      ]);
      assert.deepEqual(events[3]?.["data"].endpoints, [endpoint]);
      const { old_state, new_state, reason } = events[4]?.["data"] ?? {};
      assert.deepEqual([old_state, new_state, reason], ["registered", "starting", "by the check"]);
      assert.deepEqual(events[5]?.["data"], { service: name, id: name });
    },
  },
  {
    name: "seqs rise by one from the acknowledgement on",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const watcher = await server.open();
      const { seq: from } = await watcher.call("subscribe");
      const { name } = await server.register(client);
      for (let i = 0; i < 20; i++) await touch(client, name, String(i));
      for (let seq = from + 1; seq <= from + 21; seq++) {
        assert.equal((await nextEvent(watcher))["seq"], seq);
      }
    },
  },
  {
    name: "the acknowledgement precedes the first event under load",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const watcher = await server.open();
      const { name } = await server.register(client);
      for (let round = 0; round < 10; round++) {
        const id = watcher.ask("subscribe", { services: [name] });
        const values = ["a", "b"].map((value) => touched(name, `${value}${round}`));
        const done = callAll(client, "update_service", values);
        const first = await watcher.next();
        assert.equal(first["id"], id, "the first frame is the acknowledgement");
        await done;
        await touch(client, name, `c${round}`);
        let last: Frame = { seq: first["data"].seq };
        do {
          const event = await nextEvent(watcher);
          assert(event["seq"] > last["seq"], "events follow the acknowledged position in order");
          last = event;
        } while (last["data"].entry.labels.touched !== `c${round}`);
        await watcher.call("unsubscribe");
        watcher.drain();
      }
    },
  },
  {
    name: "events and services filter: types, ids, names and globs",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const group = server.name("glob");
      const filters: ReadonlyArray<[params: Frame, expected: string[]]> = [
        [{ services: [`${group}-a`] }, [`${group}-a@1`, `${group}-a@2`]],
        [{ services: [`${group}-a@2`] }, [`${group}-a@2`]],
        [{ services: [`${group}-?@1`] }, [`${group}-a@1`, `${group}-b@1`]],
        [{ services: [`${group}-*`] }, [`${group}-a@1`, `${group}-a@2`, `${group}-b@1`]],
        [{ services: [`${group}-*`], events: ["service_deregistered"] }, []],
      ];
      const watchers = [];
      for (const [params] of filters) {
        const watcher = await server.open();
        await watcher.call("subscribe", params);
        watchers.push(watcher);
      }
      for (const id of [`${group}-a@1`, `${group}-a@2`, `${group}-b@1`]) {
        await server.register(client, { name: id.slice(0, -2), id });
      }
      await client.call("deregister_service", { name: `${group}-b@1` });
      for (const [index, [params, expected]] of filters.entries()) {
        const watcher = watchers[index] as RawClient;
        await watcher.call("list_services", { limit: 1 });
        const events = watcher.drain().filter((event) => event["event"] === "service_registered");
        assert.deepEqual(events.map((e) => e["data"].id), expected, JSON.stringify(params));
      }
      const last = watchers.at(-1) as RawClient;
      const ended = last.log.filter((frame) => frame["event"] === "service_deregistered");
      assert.equal(ended.length, 1);
    },
  },
  {
    name: "subscriptions add up, and send a shared event once",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const watcher = await server.open();
      const name = server.name();
      const first = await watcher.call("subscribe", {
        services: [name],
        events: ["service_registered"],
      });
      assert.deepEqual(first["subscribed"], ["service_registered"]);
      const second = await watcher.call("subscribe", {
        services: [`${name}*`],
        events: ["service_registered", "service_updated"],
      });
      assert.notEqual(second["subscription"], first["subscription"]);
      assert.deepEqual(second["subscribed"].toSorted(), ["service_registered", "service_updated"]);
      await server.register(client, { name });
      await touch(client, name, "x");
      const events = [await nextEvent(watcher), await nextEvent(watcher)];
      assert.deepEqual(
        events.map((event) => event["event"]),
        ["service_registered", "service_updated"],
      );
    },
  },
  {
    name: "unsubscribe removes a subscription, some types, or all",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const watcher = await server.open();
      const { name } = await server.register(client);
      const services = [name];
      const one = await watcher.call("subscribe", { services, events: ["service_updated"] });
      await watcher.call("subscribe", {
        services,
        events: ["service_state_changed", "endpoint_updated"],
      });
      const left = await watcher.call("unsubscribe", { subscription: one["subscription"] });
      assert.deepEqual(left["subscribed"].toSorted(), [
        "endpoint_updated",
        "service_state_changed",
      ]);
      await touch(client, name, "unseen");
      const fewer = await watcher.call("unsubscribe", { events: ["endpoint_updated"] });
      assert.deepEqual(fewer["subscribed"], ["service_state_changed"]);
      await client.call("update_service", { name, state: "starting" });
      assert.equal((await nextEvent(watcher))["event"], "service_state_changed");
      assert.deepEqual(await watcher.call("unsubscribe"), { subscribed: [] });
    },
  },
  {
    name: "after the response to unsubscribe no event follows",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const watcher = await server.open();
      const { name } = await server.register(client);
      for (let round = 0; round < 10; round++) {
        await watcher.call("subscribe", { services: [name] });
        const values = Array.from({ length: 10 }, (_, i) => touched(name, `${round}.${i}`));
        const touching = callAll(client, "update_service", values);
        await watcher.call("unsubscribe");
        const at = watcher.log.length;
        await touching;
        await watcher.call("list_services", { limit: 1 });
        const late = watcher.log.slice(at).filter((frame) => frame["type"] === "event");
        assert.deepEqual(late, []);
        watcher.drain();
      }
    },
  },
  {
    name: "all subscribers see the same events in the same order",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const { name } = await server.register(client);
      const watchers = await Promise.all(Array.from({ length: 5 }, () => server.open()));
      for (const watcher of watchers) await watcher.call("subscribe", { services: [name] });
      const others = await Promise.all(Array.from({ length: 4 }, () => server.open()));
      await Promise.all(others.map(async (other, index) => {
        for (let i = 0; i < 10; i++) await touch(other, name, `${index}.${i}`);
      }));
      await client.call("deregister_service", { name });
      const seen: string[] = [];
      for (const watcher of watchers) {
        const events: Frame[] = [];
        do events.push(await nextEvent(watcher)); while (
          events.at(-1)?.["event"] !== "service_deregistered"
        );
        seen.push(JSON.stringify(events));
      }
      assert.equal(new Set(seen).size, 1);
    },
  },
];
