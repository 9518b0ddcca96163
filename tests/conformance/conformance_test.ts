import assert from "node:assert/strict";
import { LISTENERS, startServer } from "../helpers/test_server.ts";
import { CHECKS, runSuite } from "./suite.ts";

const TOKEN = "a-token-for-the-conformance-suite";

for (const listener of LISTENERS) {
  for (const token of [undefined, TOKEN]) {
    const how = token === undefined ? "without tokens" : "with tokens";
    Deno.test(`conformance: ${listener} listener ${how} is harness.v1`, async (t) => {
      await using server = await startServer({
        listener,
        ...(token === undefined ? {} : { auth: { tokens: [token] } }),
      });
      const address = token === undefined ? { url: server.url } : { url: server.url, token };
      let passed = 0;
      for await (const { name, error, skipped } of runSuite(address)) {
        await t.step(name, () => {
          if (error !== null) throw error;
          if (skipped === null) passed++;
        });
      }
      // Without a token only what is about tokens is left out, and is not counted as passed.
      const run = CHECKS.filter((check) => token !== undefined || check.needs !== "token");
      assert.equal(passed, run.length);
      assert.deepEqual(server.registry.list(), [], "the suite leaves nothing behind");
    });
  }
}

Deno.test("conformance: a read-only token suffices for read checks", async () => {
  await using server = await startServer({ listener: "deno", auth: { readTokens: [TOKEN] } });
  const results = await Array.fromAsync(runSuite({ url: server.url, token: TOKEN }));
  assert.deepEqual(results.filter((result) => result.error !== null), []);
  const skipped = results.filter((result) => result.skipped !== null).length;
  assert.equal(skipped, CHECKS.filter((check) => check.needs === "write").length);
});

Deno.test("conformance: detects a non-conforming server", async () => {
  const broken = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    if (request.headers.get("upgrade") !== "websocket") return new Response("hi");
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onopen = () =>
      socket.send('{"type":"event","event":"hello","time":"now","data":{"limits":{}}}');
    socket.onmessage = ({ data }) => {
      const id = /"id":"([^"]*)"/.exec(String(data))?.[1] ?? null;
      socket.send(JSON.stringify({ id, type: "response", data: [] }));
    };
    return response;
  });
  try {
    const url = `ws://127.0.0.1:${broken.addr.port}`;
    const results = await Array.fromAsync(runSuite({ url, deadlineMs: 500 }));
    const failed = results.filter((result) => result.error !== null);
    const ran = results.filter((result) => result.skipped === null);
    // What it does by chance right: it answers, and it refuses nothing that must be refused.
    assert(failed.length > ran.length / 2, `${failed.length} of ${ran.length} failed`);
  } finally {
    await broken.shutdown();
  }
});
