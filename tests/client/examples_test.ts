/** The clients of examples/: each against a real server. */
import assert from "node:assert/strict";
import { LineProcess } from "../helpers/lines.ts";
import { eventually } from "../helpers/raw_client.ts";
import { startServer } from "../helpers/test_server.ts";
import { checkClient, example } from "./examples_fixture.ts";

Deno.test("plain_client.mjs: lists and follows without a library", async () => {
  const args = (url: URL) => ["run", "--allow-net", example("plain_client.mjs"), url.href];
  await checkClient(Deno.execPath(), args, "subscribed");
});

Deno.test("watch.ts: follows with the client library", async () => {
  const permissions = ["--allow-net", "--allow-env"];
  const args = (url: URL) => ["run", ...permissions, example("watch.ts"), url.href];
  await checkClient(Deno.execPath(), args, null);
});

Deno.test("lease.ts: two find each other, one leaves, one is killed", async () => {
  await using server = await startServer({ listener: "deno" });
  const start = (...names: string[]) => {
    const args = ["run", "--allow-net", "--allow-env", example("lease.ts")];
    return new LineProcess(Deno.execPath(), [...args, ...names], {
      env: { HARNESS_URL: server.url },
    });
  };
  const until = async (it: LineProcess, line: string) => {
    for (let found = ""; found !== line;) found = await it.line();
  };
  await using ping = start("ping", "pong");
  assert.equal(await ping.line(), "ping is running");
  assert.equal(await ping.line(), "pong cannot be reached: not_found");
  {
    await using pong = start("pong", "ping");
    await until(pong, "ping says: this is ping");
    await until(ping, "pong says: this is pong");
    const { registry } = server;
    ping.kill("SIGTERM");
    await eventually(() => registry.list({ name: "ping" }).length === 0, "ping is removed");
    await until(pong, "ping cannot be reached: not_found");
    pong.kill("SIGKILL");
    await eventually(() => registry.get("pong").state === "failed", "pong expires");
    assert.equal(registry.get("pong").state_reason, "heartbeat missed");
  }
});
