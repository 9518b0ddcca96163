/** C3: what the server keeps is bounded by bytes, and the memory it takes is what its bounds promise. */
import { DEFAULT_SERVER_LIMITS } from "../../src/model/server_limits.ts";
import assert from "node:assert/strict";
import { PARSED_ENTRIES_BYTES } from "../../src/registry/entry_text.ts";
import { ANSWER_CACHE_BYTES, REPLAY_CACHE_BYTES } from "../../src/server/limits.ts";
import { HISTORY_RING_BYTES } from "../../src/storage/limits.ts";
import { EventBuffer } from "../../src/client/events/buffer.ts";
import type { EventMessage } from "../../src/protocol/messages.ts";

/** Large messages that were read, until the collector runs: each is in chunks, joined and as text. */
const READ_BYTES = 32 * 1024 * 1024;

/** What docs/persistence.md and docs/protocol.md say that may be kept of events and texts. */
const PROMISED = DEFAULT_SERVER_LIMITS.replayRingBytes + HISTORY_RING_BYTES + REPLAY_CACHE_BYTES +
  4 * PARSED_ENTRIES_BYTES + ANSWER_CACHE_BYTES;

Deno.test("C3: 3,000 updates of a 200 kB entry fit in a small heap", async () => {
  const script = new URL("./memory_child.ts", import.meta.url).pathname;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--v8-flags=--max-old-space-size=256", script, "3000", "200000"],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr).slice(-2000));
  const [ran = "", reopened = ""] = new TextDecoder().decode(stdout).split("\n");
  const { before, most, seq, kept } = JSON.parse(ran);
  assert.deepEqual(kept, [4, 5]);
  const grown = most - before;
  assert.ok(grown <= 1.3 * PROMISED + READ_BYTES, `grew by ${Math.round(grown / 1e6)} MB`);
  const { loaded, seq: again } = JSON.parse(reopened);
  assert.equal(again, seq);
  assert.ok(loaded - before <= 1.3 * PROMISED, `${Math.round(loaded / 1e6)} MB after loading`);
});

Deno.test("C3: the client's buffer is bounded by bytes", () => {
  let lagged = 0;
  const buffer = new EventBuffer({ bufferSize: 1000, bufferChars: 10_000 });
  buffer.onChange = () => lagged++;
  buffer.begin({ epoch: "e", seq: 0 });
  for (let seq = 1; seq <= 20; seq++) {
    const data = { service: "web", id: "web" };
    const time = "2026-11-23T11:57:19.024Z";
    const message: EventMessage = { type: "event", event: "service_deregistered", seq, time, data };
    buffer.accept(message, 3000);
  }
  assert.equal(lagged, 1);
  assert.equal(buffer.phase, "lagging");
  assert.equal(buffer.position?.seq, 3);
});
