/** The actions of the registry. */
import assert from "node:assert/strict";
import { assertError, assertTime, type Check, type Frame, type RawClient } from "./check.ts";

const HTTP = { name: "http", address: "127.0.0.1:8080", protocol: "http", metadata: {} };

/** Takes a service through the given states. */
async function go(client: RawClient, name: string, ...states: string[]): Promise<Frame> {
  let entry: Frame = {};
  for (const state of states) entry = await client.call("update_service", { name, state });
  return entry;
}

/** Rules of the section "Actions". */
export const REGISTRY_CHECKS: readonly Check[] = [
  {
    name: "register_service answers with the entry and its defaults",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const entry = await server.register(client);
      assert.equal(entry["id"], entry["name"]);
      assert.equal(entry["state"], "registered");
      assert.equal(entry["revision"], 1);
      assert.deepEqual(entry["location"], { type: "local" });
      assert.deepEqual(entry["execution"], {
        type: "systemd_service",
        unit_name: "conformance.service",
      });
      assert.deepEqual(entry["endpoints"], []);
      assert.deepEqual(entry["depends_on"], []);
      assert.deepEqual(entry["labels"], {});
      assert.equal(entry["last_health_check"], null);
      assert("state_reason" in entry);
      for (const key of ["registered_at", "last_state_change", "updated_at"]) {
        assertTime(entry[key]);
      }
      assert.deepEqual(await client.call("get_service", { name: entry["id"] }), entry);
    },
  },
  {
    name: "an id is unique; replace keeps state and raises revision",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const { name } = await server.register(client);
      const service = server.service({ name, version: "2.0.0" });
      assertError(await client.request("register_service", { service }), "already_exists");
      await go(client, name, "starting");
      const replaced = await client.call("register_service", { service, replace: true });
      assert.equal(replaced["version"], "2.0.0");
      assert.equal(replaced["state"], "starting");
      assert.equal(replaced["revision"], 3);
    },
  },
  {
    name: "a name with several instances is ambiguous, with ids",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const name = server.name();
      await server.register(client, { name, id: `${name}@a` });
      assert.equal((await client.call("get_service", { name }))["id"], `${name}@a`);
      await server.register(client, { name, id: `${name}@b` });
      const error = assertError(await client.request("get_service", { name }), "ambiguous");
      assert.deepEqual(error["details"].ids.toSorted(), [`${name}@a`, `${name}@b`]);
      const one = await client.call("get_service", { name: `${name}@b` });
      assert.equal(one["id"], `${name}@b`);
    },
  },
  {
    name: "list_services sorts by id, filters, and pages without loss",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const group = server.name("group");
      for (const letter of ["c", "a", "e", "b", "d"]) {
        const labels: Record<string, string> = letter < "c" ? { tier: "one" } : { tier: "two" };
        await server.register(client, { name: `${group}-${letter}`, labels });
      }
      const ids = (list: Frame) => list["map"]((entry: Frame) => entry["id"]);
      const all = ["a", "b", "c", "d", "e"].map((letter) => `${group}-${letter}`);
      const name = `${group}-*`;
      assert.deepEqual(ids(await client.call("list_services", { name })), all);
      const one = await client.call("list_services", { name, label: "tier=one" });
      assert.deepEqual(ids(one), all.slice(0, 2));
      assert.equal((await client.call("list_services", { name, label: "tier" }))["length"], 5);
      assert.equal((await client.call("list_services", { name, host: "local" }))["length"], 5);
      assert.equal((await client.call("list_services", { name, state: "failed" }))["length"], 0);
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const params = { name, limit: 2, ...(cursor === null ? {} : { cursor }) };
        const page = await client.call("list_services", params);
        assert(page["services"].length <= 2);
        assert(Number.isSafeInteger(page["seq"]));
        seen.push(...ids(page["services"]));
        cursor = page["next_cursor"];
      } while (cursor !== null);
      assert.deepEqual(seen, all);
    },
  },
  {
    name: "update_service raises the revision at each real change",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const { name } = await server.register(client);
      const changed = await client.call("update_service", { name, labels: { a: "1" } });
      assert.equal(changed["revision"], 2);
      const same = await client.call("update_service", { name, labels: { a: "1" } });
      assert.equal(same["revision"], 2);
    },
  },
  {
    name: "a stale if_revision is a conflict and changes nothing",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const { name } = await server.register(client);
      const update = { name, version: "2.0.0" };
      assertError(
        await client.request("update_service", { ...update, if_revision: 7 }),
        "conflict",
      );
      assertError(await client.request("deregister_service", { name, if_revision: 7 }), "conflict");
      assert.equal((await client.call("get_service", { name }))["version"], "1.0.0");
      const done = await client.call("update_service", { ...update, if_revision: 1 });
      assert.equal(done["revision"], 2);
    },
  },
  {
    name: "state changes outside the protocol are invalid_transition",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const { name } = await server.register(client);
      for (const state of ["running", "stopping", "stopped"]) {
        assertError(await client.request("update_service", { name, state }), "invalid_transition");
      }
      await go(client, name, "starting", "running", "stopping", "stopped", "starting", "running");
      assertError(
        await client.request("update_service", { name, state: "starting" }),
        "invalid_transition",
      );
      const reason = "the check said so";
      const failed = await client.call("update_service", {
        name,
        state: "failed",
        state_reason: reason,
      });
      assert.equal(failed["state_reason"], reason);
      await go(client, name, "starting");
    },
  },
  {
    name: "of simultaneous starts exactly one wins",
    needs: "write",
    async run(server) {
      const { name } = await server.register(await server.open());
      const clients = await Promise.all(Array.from({ length: 8 }, () => server.open()));
      const responses = await Promise.all(
        clients.map((client) => client.request("update_service", { name, state: "starting" })),
      );
      assert.equal(responses.filter((response) => "data" in response).length, 1);
      const codes = new Set(responses.map((response) => response["error"]?.code));
      assert.deepEqual([...codes].filter((code) => code !== undefined), ["invalid_transition"]);
    },
  },
  {
    name: "a dependency cycle is refused; unknown ones are unmet",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const a = server.name("a");
      const b = server.name("b");
      const missing = server.name("missing");
      await server.register(client, { name: a, depends_on: [b, missing] });
      await server.register(client, { name: b });
      const info = await client.call("get_dependencies", { name: a });
      assert.deepEqual(info["dependencies"].toSorted(), [b, missing].toSorted());
      assert.deepEqual(info["unmet"], [missing]);
      const waves: string[][] = info["start_order"];
      const wave = (name: string) => waves.findIndex((names) => names.includes(name));
      assert(wave(b) >= 0 && wave(b) < wave(a), JSON.stringify(waves));
      const other = await client.call("get_dependencies", { name: b });
      assert(other["dependents"].includes(a));
      const error = assertError(
        await client.request("update_service", { name: b, depends_on: [a] }),
        "invalid_params",
      );
      assert.match(error["message"], new RegExp(`${a} → ${b} → ${a}|${b} → ${a} → ${b}`));
    },
  },
  {
    name: "resolve_endpoint returns endpoints of running instances only",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const { name: service } = await server.register(client, { endpoints: [HTTP] });
      assertError(await client.request("resolve_endpoint", { service }), "unavailable");
      const all = await client.call("list_endpoints");
      assert.deepEqual(all[service], [HTTP]);
      await go(client, service, "starting", "running");
      const found = await client.call("resolve_endpoint", { service });
      assert.deepEqual(found, [{ ...HTTP, id: service }]);
      const named = await client.call("resolve_endpoint", { service, endpoint: "http" });
      assert.deepEqual(named, [{ ...HTTP, id: service }]);
      assertError(
        await client.request("resolve_endpoint", { service, endpoint: "grpc" }),
        "not_found",
      );
    },
  },
  {
    name: "an entry with ttl_ms fails without a heartbeat",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const watcher = await server.open();
      const name = server.name("lease");
      await watcher.call("subscribe", { services: [name], events: ["service_state_changed"] });
      const entry = await server.register(client, { name, ttl_ms: 500 });
      assert.equal(entry["ttl_ms"], 500);
      const { expires_at } = await client.call("heartbeat", { name });
      assertTime(expires_at);
      const { data: started } = await watcher.event("service_state_changed");
      // On a busy machine the lease may be over before the heartbeat.
      assert.ok(["starting", "failed"].includes(started.new_state), started.new_state);
      for (;;) {
        const { data } = await watcher.event("service_state_changed");
        if (data.new_state !== "failed") continue;
        assert.match(data.reason, /heartbeat/);
        break;
      }
    },
  },
  {
    name: "deregister_service removes the entry",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const { name } = await server.register(client);
      assert.deepEqual(await client.call("deregister_service", { name }), { removed: true });
      assertError(await client.request("get_service", { name }), "not_found");
    },
  },
];
