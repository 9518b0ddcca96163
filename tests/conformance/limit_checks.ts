/** The limits that the server announced in its hello. Last, because some end their connection. */
import assert from "node:assert/strict";
import { assertError, type Check, requestText } from "./check.ts";

/** A request of exactly `bytes` bytes. */
function requestOf(bytes: number): string {
  const text = requestText("big", "list_services", { pad: "" });
  return requestText("big", "list_services", { pad: "x".repeat(bytes - text.length) });
}

/** Rules of the sections "Closing" and "Limits". */
export const LIMIT_CHECKS: readonly Check[] = [
  {
    name: "a message over max_message_bytes closes with 1009",
    async run(server) {
      const client = await server.open();
      const bytes = server.limit("max_message_bytes");
      client.send(requestOf(bytes));
      assert.equal((await client.next())["id"], "big");
      client.send(requestOf(bytes + 1));
      assert.equal((await client.closed).code, 1009);
    },
  },
  {
    name: "max_message_bytes counts bytes, not characters",
    async run(server) {
      const client = await server.open();
      const bytes = server.limit("max_message_bytes");
      client.send(requestText("wide", "list_services", { pad: "ü".repeat(bytes / 2) }));
      assert.equal((await client.closed).code, 1009);
    },
  },
  {
    name: "max_bad_messages answered in a row close with 4400",
    async run(server) {
      const client = await server.open();
      const count = server.limit("max_bad_messages");
      for (let i = 1; i < count; i++) client.send("{");
      await client.call("list_services"); // a good one in between
      for (let i = 0; i < count; i++) client.send("{");
      assert.equal((await client.closed).code, 4400);
      const errors = client.log.filter((frame) => frame["error"]?.code === "parse_error");
      assert.equal(errors.length, 2 * count - 1);
    },
  },
  {
    name: "a subscription over max_subscriptions is refused alone",
    needs: "write",
    async run(server) {
      const client = await server.open();
      const count = server.limit("max_subscriptions");
      const name = server.name();
      for (let i = 0; i < count; i++) await client.call("subscribe", { services: [name] });
      assertError(await client.request("subscribe", { services: [name] }), "too_large");
      await server.register(client, { name });
      assert.equal((await client.event("service_registered"))["data"].id, name);
    },
  },
  {
    name: "too many names or too large pages are invalid_params",
    async run(server) {
      const client = await server.open();
      const count = server.limit("max_subscription_services") + 1;
      const services = Array.from({ length: count }, (_, i) => `s${i}`);
      assertError(await client.request("subscribe", { services }), "invalid_params");
      const limit = server.limit("max_page_size") + 1;
      assertError(await client.request("list_services", { limit }), "invalid_params");
    },
  },
  {
    name: "every request beyond the rate is answered rate_limited",
    async run(server) {
      const startedAt = performance.now();
      const client = await server.open();
      const rate = server.limit("max_requests_per_second");
      const codes = new Map<string, number>();
      let sent = 0;
      // In portions, because who is far over the rate is closed; until one is refused, which a server
      // that is slower than its own limit never does.
      while (!codes.has("rate_limited") && sent < 20 * rate) {
        const ids = new Set(
          Array.from({ length: Math.ceil(rate / 5) }, () => client.ask("unsubscribe")),
        );
        sent += ids.size;
        while (ids.size > 0) {
          const response = await client.next();
          assert(ids.delete(response["id"]), "answered once");
          const code = response["error"]?.code ?? "ok";
          codes.set(code, (codes.get(code) ?? 0) + 1);
        }
      }
      const accepted = codes.get("ok") ?? 0;
      const allowed = 2 * rate + rate * (performance.now() - startedAt) / 1000;
      assert(accepted >= rate, "a burst of a second's requests is fine");
      assert(accepted <= allowed + 1, `${accepted} accepted, at most ${allowed} may be`);
      codes.delete("ok");
      codes.delete("rate_limited");
      assert.deepEqual([...codes.keys()], []);
    },
  },
  {
    name: "requests far over the rate are refused or close with 4429",
    async run(server) {
      const startedAt = performance.now();
      const client = await server.open();
      const rate = server.limit("max_requests_per_second");
      const text = requestText("flood", "unsubscribe");
      let code: number | null = null;
      client.closed.then((closure) => code = closure.code);
      for (let sent = 0; code === null && sent < 10 * rate; sent++) {
        client.send(text);
        // Lets answers and a close frame in.
        if (sent % 500 === 499) await new Promise((resolve) => setTimeout(resolve, 0));
      }
      if (code === null) {
        client.send(requestText("last", "unsubscribe"));
        await client.take((frame) => frame["id"] === "last", "the answer to the last request")
          .catch(() => client.closed);
      }
      // A close frame behind a flood may get lost: 0 and 1006 are how that looks.
      assert([null, 4429, 1006, 0].includes(code), `closed with ${code}`);
      const answers = client.log.filter((frame) => frame["type"] === "response");
      const refused = answers.filter((frame) => "error" in frame);
      assert(refused.every((frame) => frame["error"].code === "rate_limited"), "only ever refused");
      // A server that is slower than its own limit has nothing to refuse: what it must not do is accept more.
      const accepted = answers.length - refused.length;
      const allowed = 2 * rate + rate * (performance.now() - startedAt) / 1000;
      assert(accepted <= allowed + 1, `${accepted} accepted, at most ${allowed} may be`);
    },
  },
];
