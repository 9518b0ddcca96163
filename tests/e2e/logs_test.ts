import assert from "node:assert/strict";
import { startControlServer } from "../helpers/control_server.ts";
import { RawClient } from "../helpers/raw_client.ts";
import { removeTree } from "../helpers/remove_tree.ts";

Deno.test("service_logs: reads a log, and a subscription follows it", async () => {
  const dir = await Deno.makeTempDir({ prefix: "harness-logs-" });
  try {
    await using server = await startControlServer({ dir });
    await using client = await RawClient.ready(server.url);
    const script = 'i=0; while :; do i=$((i + 1)); echo "tick $i"; sleep 0.1; done';
    await client.call("register_service", {
      service: {
        name: "talker",
        version: "1",
        execution: { type: "managed_process", command: "/bin/sh", args: ["-c", script], pid: null },
      },
    });
    await client.call("service_action", { name: "talker", action: "start" });
    const { subscription } = await client.call("subscribe", {
      events: ["service_log"],
      services: ["talker"],
    });
    const first = await client.event("service_log");
    assert.equal("seq" in first, false);
    assert.deepEqual([first["data"].service, first["data"].id], ["talker", "talker"]);
    const number = (line: string) => Number(/^tick (\d+)$/.exec(line)?.[1]);
    let last = number(first["data"].line);
    for (let i = 0; i < 10; i++) {
      const next = number((await client.event("service_log"))["data"].line);
      assert.equal(next, last + 1, "no line is lost, none comes twice");
      last = next;
    }
    await client.call("unsubscribe", { subscription });
    client.drain();
    const { lines } = await client.call("service_logs", { name: "talker", tail: 3 });
    assert.equal(lines.length, 3);
    assert.ok(number(lines.at(-1)) >= last);
    assert.deepEqual(client.drain(), []);
    await client.call("service_action", { name: "talker", action: "stop" });
  } finally {
    await removeTree(dir);
  }
});
