/** The protocol: hello, requests, errors. */
import assert from "node:assert/strict";
import { RegistryClient } from "../../src/client/mod.ts";
import { isAction } from "../../src/protocol/actions.ts";
import { sha256 } from "../../src/util/node/digest.ts";
import { eventually, RawClient } from "../helpers/raw_client.ts";
import { LISTENERS, service, startServer } from "../helpers/test_server.ts";

for (const listener of LISTENERS) {
  const name = (text: string) => `${listener} server ${text}`;

  Deno.test(name("sends hello first"), async () => {
    await using running = await startServer({ listener });
    await running.registry.register(service("api"));
    await using client = await RawClient.connect(running.url);
    const hello = await client.next();
    assert.equal(hello["event"], "hello");
    assert.equal("seq" in hello, false);
    assert.match(hello["time"], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(hello["data"].protocol, { version: 1, supported: [1] });
    assert.equal(hello["data"].server.name, "harness-ws-server");
    assert.equal(hello["data"].epoch, running.registry.epoch);
    assert.equal(hello["data"].seq, 1);
    assert.equal(hello["data"].limits.max_message_bytes, 262144);
    assert.deepEqual(hello["data"].capabilities, ["write"]);
    assert.equal(client.socket.protocol, "harness.v1");
  });

  Deno.test(name("confirms harness.v1, also when not offered"), async () => {
    await using running = await startServer({ listener });
    await using mixed = await RawClient.ready(running.url, {
      protocols: ["harness.v9", "harness.v1"],
    });
    assert.equal(mixed.socket.protocol, "harness.v1");
    await using none = await RawClient.ready(running.url, { protocols: [] });
    assert.equal(none.socket.protocol, "");
    assert.deepEqual(await none.call("list_services"), []);
  });

  Deno.test(name("answers every registry action"), async () => {
    await using running = await startServer({ listener });
    await using client = await RawClient.ready(running.url);
    assert.deepEqual(await client.call("list_services", {}), []);
    assert.deepEqual(await client.call("list_endpoints"), {});
    const endpoints = [{ name: "http", address: "127.0.0.1:80", protocol: "http", metadata: {} }];
    const db = await client.call("register_service", { service: service("db") });
    assert.equal(db["state"], "registered");
    const api = await client.call("register_service", {
      service: { ...service("api"), depends_on: ["db", "cache"], endpoints, unknown_field: 1 },
    });
    assert.equal("unknown_field" in api, false);
    assert.deepEqual((await client.call("list_services")).map((e: { id: string }) => e.id), [
      "api",
      "db",
    ]);
    assert.equal((await client.call("get_service", { name: "api" }))["revision"], 1);
    const changed = await client.call("update_service", {
      name: "api",
      labels: { team: "a" },
      if_revision: 1,
    });
    assert.equal(changed["revision"], 2);
    assert.deepEqual((await client.call("list_services", { label: "team=a" })).length, 1);
    assert.deepEqual(await client.call("list_endpoints"), { api: endpoints, db: [] });
    await client.call("update_service", { name: "api", state: "starting" });
    await client.call("update_service", { name: "api", state: "running" });
    assert.deepEqual(await client.call("resolve_endpoint", { service: "api" }), [{
      ...endpoints[0],
      id: "api",
    }]);
    const graph = await client.call("get_dependencies", { name: "api" });
    assert.deepEqual(graph["dependencies"].toSorted(), ["cache", "db"]);
    assert.deepEqual(graph["unmet"], ["cache"]);
    await client.call("register_service", { service: { ...service("leased"), ttl_ms: 60_000 } });
    const { expires_at } = await client.call("heartbeat", { name: "leased" });
    assert.ok(Date.parse(expires_at) > Date.now());
    assert.deepEqual(await client.call("deregister_service", { name: "db" }), { removed: true });
  });

  Deno.test(name("pages list_services with a cursor"), async () => {
    await using running = await startServer({ listener });
    await using client = await RawClient.ready(running.url);
    for (const id of ["a", "b", "c", "d", "e"]) await running.registry.register(service(id));
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await client.call("list_services", { limit: 2, ...(cursor && { cursor }) });
      assert.equal(page["seq"], 5);
      seen.push(...page["services"].map((e: { id: string }) => e.id));
      cursor = page["next_cursor"] ?? undefined;
    } while (cursor !== undefined);
    assert.deepEqual(seen, ["a", "b", "c", "d", "e"]);
    const { code } = await client.fail("list_services", { cursor: "x" });
    assert.equal(code, "invalid_params");
  });

  Deno.test(name("answers with the codes of the contract"), async () => {
    await using running = await startServer({ listener });
    await using client = await RawClient.ready(running.url);
    await client.call("register_service", { service: service("api") });
    const cases: Array<[string, unknown, string]> = [
      ["get_service", { name: "nope" }, "not_found"],
      ["get_service", {}, "invalid_params"],
      ["get_service", { name: 5 }, "invalid_params"],
      ["get_service", [], "invalid_params"],
      ["get_service", "api", "invalid_params"],
      ["register_service", { service: service("api") }, "already_exists"],
      ["register_service", { service: service("../evil") }, "invalid_params"],
      ["update_service", { name: "api", state: "running" }, "invalid_transition"],
      ["update_service", { name: "api", labels: {}, if_revision: 9 }, "conflict"],
      ["resolve_endpoint", { service: "api" }, "unavailable"],
      ["resolve_endpoint", { service: "nope" }, "not_found"],
      ["unsubscribe", { subscription: "s-9" }, "not_found"],
      ["subscribe", { events: ["nope"] }, "invalid_params"],
      ["subscribe", { events: ["service_log"], services: ["api"] }, "unavailable"],
      ["toString", {}, "unknown_action"],
      ["", {}, "unknown_action"],
      ...["service_action", "service_logs", "deploy_package", "get_deployment", "list_deployments"]
        .concat("cancel_deployment", "rollback_service", "resume_deployment")
        .concat("list_packages")
        .map((action): [string, unknown, string] => [action, MINIMAL[action], "unavailable"]),
    ];
    for (const [action, params, code] of cases) {
      const error = await client.fail(action, params);
      assert.equal(error["code"], code, `${action} ${JSON.stringify(params)}: ${error["message"]}`);
      assert.equal(typeof error["retryable"], "boolean");
      assert.ok(error["message"].length > 0 && !error["message"].includes("\n"));
    }
  });

  Deno.test(name("names the nearest action"), async () => {
    await using running = await startServer({ listener });
    await using client = await RawClient.ready(running.url);
    const error = await client.fail("listServices");
    assert.equal(error["code"], "unknown_action");
    assert.equal(error["details"].nearest, "list_services");
  });

  Deno.test(name("answers concurrent requests once each"), async () => {
    const gate = Promise.withResolvers<void>();
    await using running = await startServer({
      listener,
      services: {
        async act() {
          await gate.promise;
          return { service: "slow", old_state: "stopped", new_state: "running" };
        },
        logs: () => Promise.resolve({ lines: ["a", "b"] }),
        async *follow() {},
      },
    });
    await using client = await RawClient.ready(running.url);
    const slow = client.ask("service_action", { name: "slow", action: "start" });
    assert.deepEqual(await client.call("list_services"), []);
    assert.deepEqual(await client.call("service_logs", { name: "slow" }), { lines: ["a", "b"] });
    assert.deepEqual(client.log.filter((f) => f["id"] === slow), []);
    gate.resolve();
    const answer = await client.take((f) => f["id"] === slow, "the slow answer");
    assert.equal(answer["data"].new_state, "running");
    assert.equal(client.log.filter((f) => f["id"] === slow).length, 1);
  });

  Deno.test(name("hides the cause of an internal error"), async () => {
    await using running = await startServer({
      listener,
      services: {
        act: () => Promise.reject(new TypeError("secret path /root/.ssh/id_ed25519")),
        logs: () => {
          throw new Error("secret too");
        },
        async *follow() {},
      },
    });
    await using client = await RawClient.ready(running.url);
    for (const action of ["service_action", "service_logs"]) {
      const error = await client.fail(action, MINIMAL[action]);
      assert.equal(error["code"], "internal");
      assert.doesNotMatch(JSON.stringify(error), /secret/);
    }
  });

  Deno.test(name("serves five clients and forgets them"), async () => {
    await using running = await startServer({ listener });
    const clients = await Promise.all(
      Array.from({ length: 5 }, () => RawClient.ready(running.url)),
    );
    assert.equal(running.server.connections, 5);
    const lists = await Promise.all(clients.map((client) => client.call("list_services")));
    assert.deepEqual(lists, [[], [], [], [], []]);
    await Promise.all(clients.map((client) => client.close()));
    await eventually(() => running.server.connections === 0, "all connections gone");
  });
}

const MINIMAL: Record<string, unknown> = {
  service_action: { name: "a", action: "start" },
  service_logs: { name: "a" },
  deploy_package: { package: "a-1.0.0.tar.gz", target: "local" },
  get_deployment: { deployment_id: "d-1" },
  list_deployments: {},
  cancel_deployment: { deployment_id: "d-1" },
  rollback_service: { name: "a" },
  resume_deployment: { deployment_id: "d-1" },
  list_packages: {},
};

Deno.test("actions: every action of the protocol is in the table", () => {
  const contract = [
    "list_services",
    "get_service",
    "register_service",
    "update_service",
    "deregister_service",
    "heartbeat",
    "service_action",
    "list_endpoints",
    "resolve_endpoint",
    "get_dependencies",
    "service_logs",
    "deploy_package",
    "get_deployment",
    "list_deployments",
    "cancel_deployment",
    "rollback_service",
    "resume_deployment",
    "list_packages",
    "subscribe",
    "unsubscribe",
  ];
  assert.deepEqual(contract.filter((action) => !isAction(action)), []);
  assert.equal(isAction("toString"), false);
});

for (const listener of LISTENERS) {
  Deno.test(`not_found: names the nearest that may be listed (${listener})`, async () => {
    const namedTokens = [{
      name: "limited",
      sha256: sha256("a-token-of-the-limited-client"),
      rights: "full" as const,
      services: ["shop-*"],
    }];
    await using server = await startServer({
      listener,
      auth: { tokens: ["a-token-of-the-full-client"], namedTokens },
    });
    for (const name of ["hello-service", "shop-web"]) await server.registry.register(service(name));
    const nearest = async (token: string, name: string) => {
      await using client = await RegistryClient.connect(server.url, { token, reconnect: false });
      const error = await client.call("get_service", { name }).catch((error) => error);
      assert.equal(error.code, "not_found");
      return [error.details.nearest, /did you mean "(.+)"\?$/.exec(error.message)?.[1]];
    };
    const [full, limited] = ["a-token-of-the-full-client", "a-token-of-the-limited-client"];
    assert.deepEqual(await nearest(full, "hello-servce"), ["hello-service", "hello-service"]);
    assert.deepEqual(await nearest(full, "nothing-alike-at-all"), [undefined, undefined]);
    assert.deepEqual(await nearest(limited, "shop-wbe"), ["shop-web", "shop-web"]);
    // Nearer, and outside of the scope.
    await server.registry.register(service("shap-cart"));
    assert.deepEqual(await nearest(limited, "shop-cart"), ["shop-web", "shop-web"]);
  });
}
