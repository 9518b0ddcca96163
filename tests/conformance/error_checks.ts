/** Bad requests: each answered, with its id, and none ends the connection. */
import assert from "node:assert/strict";
import { ACTION_NAMES } from "../../src/protocol/actions.ts";
import { assertError, type Check, type RawClient, requestText } from "./check.ts";

/** Sends a bad frame, checks the error, and that the connection still works. */
async function refused(
  client: RawClient,
  frame: string | Uint8Array<ArrayBuffer>,
  code: string,
  id: unknown,
): Promise<void> {
  client.send(frame);
  const response = await client.next();
  assertError(response, code);
  assert.equal(response["id"], id, String(frame).slice(0, 80));
  await client.call("list_services"); // also: bad messages in a row are not what is checked here
}

/** For each action params of the wrong kind. */
const WRONG_PARAMS: ReadonlyArray<[action: string, params: unknown]> = [
  ["list_services", { limit: 0 }],
  ["list_services", { state: "flying" }],
  ["list_services", { name: 1 }],
  ["get_service", {}],
  ["get_service", { name: ["web"] }],
  ["get_service", { name: "../../etc/passwd" }],
  ["register_service", {}],
  ["register_service", { service: null }],
  ["register_service", { service: { name: "x" } }],
  ["register_service", {
    service: { name: "-x", version: "1", execution: { type: "systemd_service", unit_name: "u" } },
  }],
  ["register_service", { service: { name: "x", version: "1", execution: { type: "magic" } } }],
  ["update_service", { name: "x", state: 7 }],
  ["update_service", { name: "x", endpoints: [{ name: "http", address: "nowhere" }] }],
  ["update_service", { name: "x", if_revision: -1 }],
  ["deregister_service", { name: null }],
  ["heartbeat", { name: {} }],
  ["service_action", { name: "x", action: "explode" }],
  ["service_action", { name: "x" }],
  ["resolve_endpoint", {}],
  ["get_dependencies", { name: true }],
  ["service_logs", { name: "x", tail: "all" }],
  ["deploy_package", { package: "x" }],
  ["deploy_package", { package: "x", target: "local", targets: ["local"] }],
  ["deploy_package", { target: "local" }],
  ["get_deployment", {}],
  ["list_deployments", { limit: "many" }],
  ["cancel_deployment", { deployment_id: 1 }],
  ["rollback_service", {}],
  ["subscribe", { events: ["no_such_event"] }],
  ["subscribe", { events: "service_updated" }],
  ["subscribe", { since: { seq: 1 } }],
  ["subscribe", { services: [] }],
  ["unsubscribe", { events: [1] }],
];

/** Rules of the sections "Messages" and "Errors". */
export const ERROR_CHECKS: readonly Check[] = [
  {
    name: "invalid JSON is a parse_error, with its id if readable",
    async run(server) {
      const client = await server.open();
      await refused(client, "{nonsense", "parse_error", null);
      await refused(client, "", "parse_error", null);
      await refused(client, '{"id":"k7","type":"request","action":"list_', "parse_error", "k7");
    },
  },
  {
    name: "JSON that is no request is invalid_request, with its id",
    async run(server) {
      const client = await server.open();
      for (const frame of ["[]", "1", "null", '"text"', "{}"]) {
        await refused(client, frame, "invalid_request", null);
      }
      await refused(client, '{"id":"1","action":"list_services"}', "invalid_request", "1");
      await refused(client, '{"id":"2","type":"request"}', "invalid_request", "2");
      await refused(client, '{"id":"3","type":"request","action":5}', "invalid_request", "3");
      await refused(
        client,
        '{"id":"4","type":"event","action":"list_services"}',
        "invalid_request",
        "4",
      );
      await refused(
        client,
        '{"id":null,"type":"request","action":"list_services"}',
        "invalid_request",
        null,
      );
      await refused(
        client,
        '{"id":17,"type":"request","action":"list_services"}',
        "invalid_request",
        17,
      );
    },
  },
  {
    name: "an unknown action is unknown_action and names the nearest",
    async run(server) {
      const client = await server.open();
      const error = assertError(await client.request("list_servces"), "unknown_action");
      assert.match(error["message"], /list_services/);
      assertError(await client.request("toString"), "unknown_action");
      assertError(await client.request(""), "unknown_action");
    },
  },
  {
    name: "params of the wrong kind are invalid_params in every action",
    async run(server) {
      const client = await server.open();
      for (const [action, params] of WRONG_PARAMS) {
        const response = await client.request(action, params);
        assert("error" in response, `${action} ${JSON.stringify(params)} was accepted`);
        // A server without that part, or a token that may not, or none, may say so first.
        const first = [
          "unavailable",
          "forbidden",
          ...(server.token === undefined ? ["unauthorized"] : []),
        ];
        if (first.includes(response["error"].code)) continue;
        const error = assertError(response, "invalid_params");
        assert(error["message"].length > 10, "the message says what is wrong");
      }
      assertError(await client.request("list_services", []), "invalid_params");
      assertError(await client.request("list_services", "all"), "invalid_params");
    },
  },
  {
    name: "every action of the protocol is known",
    async run(server) {
      const client = await server.open();
      for (const action of ACTION_NAMES) {
        const response = await client.request(action, { name: 0, package: 0, deployment_id: 0 });
        assert.notEqual(response["error"]?.code, "unknown_action", action);
      }
    },
  },
  {
    name: "a name that nobody has is not_found",
    async run(server) {
      const client = await server.open();
      const name = server.name("missing");
      assertError(await client.request("get_service", { name }), "not_found");
      assertError(await client.request("get_dependencies", { name }), "not_found");
      assertError(await client.request("resolve_endpoint", { service: name }), "not_found");
      assertError(
        await client.request("unsubscribe", { subscription: "no-such" }),
        "not_found",
      );
    },
  },
  {
    name: "a change of a name that nobody has is not_found",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const name = server.name("missing");
      assertError(await client.request("update_service", { name, version: "2" }), "not_found");
      assertError(await client.request("deregister_service", { name }), "not_found");
      assertError(await client.request("heartbeat", { name }), "not_found");
    },
  },
  {
    name: "the keys __proto__ and constructor are refused anywhere",
    async run(server) {
      const client = await server.open();
      const frames = [
        '{"id":"p","type":"request","action":"list_services","__proto__":{}}',
        '{"id":"p","type":"request","action":"list_services","params":{"__proto__":{"a":1}}}',
        '{"id":"p","type":"request","action":"list_services","params":{"a":[{"constructor":1}]}}',
        '{"id":"p","type":"request","action":"list_services","params":{"\\u005f_proto__":1}}',
      ];
      for (const frame of frames) await refused(client, frame, "invalid_request", "p");
    },
  },
  {
    name: "nesting beyond the limit is an invalid_request",
    async run(server) {
      const client = await server.open();
      const depths = [server.limit("max_message_depth") + 1, 10_000];
      for (const depth of depths) {
        const params = `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`;
        await refused(
          client,
          `{"id":"deep","type":"request","action":"list_services","params":${params}}`,
          "invalid_request",
          "deep",
        );
      }
    },
  },
  {
    name: "a binary frame is an invalid_request, with its id",
    async run(server) {
      const client = await server.open();
      const bytes = new TextEncoder().encode(requestText("bin", "list_services"));
      await refused(client, bytes, "invalid_request", "bin");
      await refused(client, new Uint8Array([0, 255, 254]), "invalid_request", null);
    },
  },
  {
    name: "an id that is too long is refused",
    async run(server) {
      const client = await server.open();
      client.send(requestText("x".repeat(257), "list_services"));
      assertError(await client.next(), "invalid_request");
    },
  },
];
