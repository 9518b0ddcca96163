/** Handshake, hello, envelope, HTTP. */
import assert from "node:assert/strict";
import { assertTime, authorized, type Check, isObject, requestText } from "./check.ts";
import { RawClient } from "../helpers/raw_client.ts";

/** Base64url without padding. */
function base64Url(text: string): string {
  const binary = String.fromCharCode(...new TextEncoder().encode(text));
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Whether a handshake with these options succeeds. */
async function accepts(
  url: string,
  options: Parameters<typeof RawClient.connect>[1],
): Promise<boolean> {
  try {
    await using _client = await RawClient.connect(url, options);
    return true;
  } catch {
    return false;
  }
}

/** Rules of the section "Connecting" and of the envelope. */
export const CONNECTION_CHECKS: readonly Check[] = [
  {
    name: "hello comes first, with server, epoch, seq and limits",
    async run(server) {
      const client = await server.connect();
      const frame = await client.next();
      assert.equal(frame["type"], "event");
      assert.equal(frame["event"], "hello");
      assert(!("seq" in frame), "hello has no seq of its own");
      assertTime(frame["time"]);
      const { protocol, server: who, epoch, seq, limits, capabilities } = frame["data"];
      assert.equal(protocol.version, 1);
      assert(protocol.supported.includes(1));
      assert.equal(typeof who.name, "string");
      assert.equal(typeof who.version, "string");
      assert(typeof epoch === "string" && epoch.length > 0);
      assert(Number.isSafeInteger(seq) && seq >= 0);
      assert(isObject(limits) && Object.values(limits).every((n) => typeof n === "number"));
      assert(Array.isArray(capabilities) && capabilities.every((c) => typeof c === "string"));
    },
  },
  {
    name: "harness.v1 is confirmed, also among unknown subprotocols",
    async run(server) {
      for (const protocols of [["harness.v1"], ["x.unknown", "harness.v1"]]) {
        const client = await server.connect({ protocols });
        assert.equal(client.socket.protocol, "harness.v1");
      }
    },
  },
  {
    name: "no subprotocol means version 1",
    async run(server) {
      const client = await server.connect({ protocols: [] });
      assert.equal(client.socket.protocol, "");
      assert.equal((await client.next())["data"].protocol.version, 1);
      assert(Array.isArray(await client.call("list_services")));
    },
  },
  {
    name: "only unknown subprotocols are refused before the upgrade",
    async run(server) {
      const options = { ...authorized(server.token), protocols: ["harness.v999"] };
      assert(!await accepts(server.url, options));
    },
  },
  {
    name: "another path than / is refused",
    async run(server) {
      const url = new URL(server.url);
      url.pathname = "/other";
      assert(!await accepts(url.href, authorized(server.token)));
    },
  },
  {
    name: "a foreign Origin is refused before the upgrade",
    async run(server) {
      const headers = { ...authorized(server.token).headers, origin: "https://evil.example" };
      assert(!await accepts(server.url, { headers }));
    },
  },
  {
    name: "with tokens, a missing or wrong one is refused",
    needs: "token",
    async run(server) {
      const { url, token } = server;
      assert(token !== undefined);
      assert(!await accepts(url, {}), "no token");
      assert(!await accepts(url, authorized(token.slice(0, -1))), "a shorter token");
      assert(!await accepts(url, authorized(`${token}x`)), "a longer token");
      const wrong = ["harness.v1", `harness.token.${base64Url("wrong")}`];
      assert(!await accepts(url, { protocols: wrong }), "a wrong token as subprotocol");
      const right = ["harness.v1", `harness.token.${base64Url(token)}`];
      await using client = await RawClient.connect(url, { protocols: right });
      assert.equal(client.socket.protocol, "harness.v1", "the token is never confirmed");
    },
  },
  {
    name: "a request sent before hello is answered after it",
    async run(server) {
      const client = await server.connect();
      client.send(requestText("early", "list_services"));
      assert.equal((await client.next())["event"], "hello");
      assert.equal((await client.next())["id"], "early");
    },
  },
  {
    name: "a response has the request's id, type response, and data",
    async run(server) {
      const client = await server.open();
      for (const id of ["1", "x".repeat(256), 'quote " and \\ and \n', "ünïcödé 😀", "__proto__"]) {
        client.send(requestText(id, "list_services"));
        const response = await client.next();
        assert.deepEqual(Object.keys(response).sort(), ["data", "id", "type"]);
        assert.equal(response["id"], id);
        assert.equal(response["type"], "response");
      }
    },
  },
  {
    name: "params may be left out, and unknown fields are ignored",
    async run(server) {
      const client = await server.open();
      client.send('{"id":"a","type":"request","action":"list_services"}');
      assert(Array.isArray((await client.next())["data"]));
      client.send(
        '{"id":"b","type":"request","action":"list_services","params":{"later":1},"trace":{"x":[]}}',
      );
      assert(Array.isArray((await client.next())["data"]));
    },
  },
  {
    name: "many requests at once are each answered exactly once",
    async run(server) {
      const client = await server.open();
      const count = Math.min(50, server.limit("max_in_flight"));
      const ids = Array.from({ length: count }, () => client.ask("list_endpoints"));
      const answered: string[] = [];
      for (const _ of ids) {
        const response = await client.next();
        assert("data" in response, JSON.stringify(response["error"]));
        answered.push(response["id"]);
      }
      assert.deepEqual(answered.toSorted(), ids.toSorted());
      await client.call("list_endpoints");
      assert.deepEqual(client.drain(), [], "nothing was answered twice");
    },
  },
  {
    name: "HTTP on the same port: health, version, and 426 at /",
    async run(server) {
      const health = await fetch(`${server.http}/healthz`);
      assert.equal(health.status, 200);
      assert.equal((await health.json()).status, "ok");
      const ready = await fetch(`${server.http}/readyz`);
      assert.equal(ready.status, 200);
      await ready.body?.cancel();
      const version = await (await fetch(`${server.http}/version`)).json();
      assert.equal(version.name, server.hello["server"].name);
      assert.equal(version.version, server.hello["server"].version);
      assert(version.protocol.includes(1));
      const plain = await fetch(`${server.http}/`);
      assert.equal(plain.status, 426);
      assert((await plain.text()).length > 0, "with a hint");
      const nothing = await fetch(`${server.http}/nothing-here`);
      assert.equal(nothing.status, 404);
      assert.equal((await nothing.json()).error.code, "not_found");
    },
  },
];
