/** Resume: every missed event in order, or a snapshot, never a gap. */
import assert from "node:assert/strict";
import type { Check, Frame, RawClient } from "./check.ts";

/** Reads a snapshot to its last page. */
async function readSnapshot(
  client: RawClient,
): Promise<{ services: Frame[]; seq: number; pages: number }> {
  const services: Frame[] = [];
  let seq: number | undefined;
  for (let pages = 1;; pages++) {
    const page = await client.event("registry_loaded");
    seq ??= page["seq"];
    assert.equal(page["seq"], seq, "all pages are of one moment");
    assert(Number.isSafeInteger(seq));
    services.push(...page["data"].services);
    if (!page["data"].more) return { services, seq: seq as number, pages };
  }
}

/** Rules of the section "Position" and "Resume". */
export const RESUME_CHECKS: readonly Check[] = [
  {
    name: "since replays missed events, a bookmark, then live ones",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const { name } = await server.register(client);
      const watcher = await server.open();
      const { epoch, seq } = await watcher.call("subscribe", { services: [name] });
      await watcher.close();
      for (let i = 0; i < 10; i++) {
        await client.call("update_service", { name, labels: { i: String(i) } });
        const other = await server.register(client);
        await client.call("deregister_service", { name: other["id"] });
      }
      const back = await server.open();
      const ack = await back.call("subscribe", { services: [name], since: { epoch, seq } });
      assert.equal(ack["resumed"], "replayed");
      assert(ack["seq"] >= seq + 10);
      for (let i = 0; i < 10; i++) {
        const event = await back.event();
        assert.equal(event["event"], "service_updated");
        assert.equal(event["data"].entry.labels.i, String(i));
      }
      const bookmark = await back.event();
      assert.equal(bookmark["event"], "bookmark");
      assert.deepEqual(bookmark["data"], {});
      assert(bookmark["seq"] >= ack["seq"]);
      await client.call("update_service", { name, labels: { i: "live" } });
      assert.equal((await back.event())["data"].entry.labels.i, "live");
    },
  },
  {
    name: "since with nothing missed replays nothing",
    async run(server) {
      const client = await server.open();
      const { epoch, seq } = await client.call("subscribe");
      const back = await server.open();
      const services = [server.name("nobody")];
      const ack = await back.call("subscribe", { services, since: { epoch, seq } });
      assert.notEqual(ack["resumed"], "snapshot");
    },
  },
  {
    name: "events during a resume are neither lost nor repeated",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const { name } = await server.register(client);
      const { epoch, seq } = await (await server.open()).call("subscribe");
      const writing = (async () => {
        for (let i = 0; i < 60; i++) {
          await client.call("update_service", { name, labels: { i: String(i) } });
        }
      })();
      for (let round = 0; round < 5; round++) {
        const watcher = await server.open();
        await watcher.call("subscribe", { services: [name], since: { epoch, seq } });
        for (let i = 0; i < 60; i++) {
          const event = await watcher.event("service_updated");
          assert.equal(event["data"].entry.labels.i, String(i));
        }
      }
      await writing;
    },
  },
  {
    name: "another epoch or a future seq leads to a snapshot",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const entry = await server.register(client);
      const { epoch, seq } = await client.call("subscribe");
      const places = [
        { epoch: "00000000-0000-4000-8000-000000000000", seq: 0 },
        { epoch, seq: seq + 1_000_000 },
      ];
      for (const since of places) {
        const watcher = await server.open();
        const ack = await watcher.call("subscribe", { since });
        assert.equal(ack["resumed"], "snapshot");
        const { services } = await readSnapshot(watcher);
        assert.deepEqual(services.find((other) => other["id"] === entry["id"]), entry);
        assert.equal((await watcher.event())["event"], "bookmark");
      }
    },
  },
  {
    name: "snapshot: true sends entries by id, then later events",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const group = server.name("snap");
      for (const letter of ["b", "a", "c"]) {
        await server.register(client, { name: `${group}-${letter}` });
      }
      const watcher = await server.open();
      const params = { snapshot: true, services: [`${group}-*`] };
      const ack = await watcher.call("subscribe", params);
      assert.equal(ack["resumed"], "snapshot");
      const { services, seq } = await readSnapshot(watcher);
      assert(seq >= ack["seq"]);
      assert.deepEqual(
        services.map((entry) => entry["id"]),
        ["a", "b", "c"].map((letter) => `${group}-${letter}`),
      );
      await client.call("update_service", { name: `${group}-a`, state: "starting" });
      const event = await watcher.event("service_state_changed");
      assert(event["seq"] > seq);
    },
  },
  {
    name: "an empty snapshot is one page without services",
    async run(server) {
      const watcher = await server.open();
      await watcher.call("subscribe", { snapshot: true, services: [server.name("nobody")] });
      const { services, pages } = await readSnapshot(watcher);
      assert.deepEqual([services, pages], [[], 1]);
    },
  },
  {
    name: "a snapshot and later events equal the registry",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const group = server.name("fold");
      for (let i = 0; i < 5; i++) await server.register(client, { name: `${group}-${i}` });
      const writing = (async () => {
        for (let i = 0; i < 30; i++) {
          const name = `${group}-${i % 5}`;
          await client.call("update_service", { name, labels: { i: String(i) } });
        }
      })();
      const watcher = await server.open();
      await watcher.call("subscribe", { snapshot: true, services: [`${group}-*`] });
      const { services } = await readSnapshot(watcher);
      await writing;
      await client.call("deregister_service", { name: `${group}-0` });
      const known = new Map(services.map((entry) => [entry["id"], entry]));
      for (;;) {
        const { event, data } = await watcher.event();
        if (event === "service_updated") known.set(data.id, data.entry);
        if (event !== "service_deregistered") continue;
        known.delete(data.id);
        break;
      }
      const truth = await client.call("list_services", { name: `${group}-*` });
      assert.deepEqual([...known.values()], truth);
    },
  },
  {
    name: "since wins over snapshot where it can be honoured",
    async run(server) {
      const client = await server.open();
      const { epoch, seq } = await client.call("subscribe");
      const back = await server.open();
      const ack = await back.call("subscribe", { since: { epoch, seq }, snapshot: true });
      assert.equal(ack["resumed"], "replayed");
    },
  },
];
