/** C3: what the server keeps is bounded by bytes, and it keeps no more than its bounds promise. */
import { DEFAULT_SERVER_LIMITS } from "../../src/model/server_limits.ts";
import assert from "node:assert/strict";
import { PARSED_ENTRIES_BYTES } from "../../src/registry/entry_text.ts";
import { HISTORY_RING_BYTES } from "../../src/storage/limits.ts";
import { EventBuffer } from "../../src/client/events/buffer.ts";
import type { EventMessage } from "../../src/protocol/messages.ts";

/** Bytes of the entry. */
const BYTES = 200_000;
/** The entry, and the revisions of it that are kept parsed, in two generations. */
const PARSED = BYTES + 2 * (PARSED_ENTRIES_BYTES + BYTES);
/** What docs/persistence.md and docs/protocol.md say that may be kept of events: one more ring does not fit. */
const PROMISED = DEFAULT_SERVER_LIMITS.replayRingBytes + HISTORY_RING_BYTES + PARSED;

async function child(...args: string[]): Promise<{ grown: number; seq: number; page?: number[] }> {
  const script = new URL("./memory_child.ts", import.meta.url).pathname;
  // So small that what is in flight has to be bounded, too.
  const flags = "--v8-flags=--max-old-space-size=256,--expose-gc";
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", flags, script, ...args],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr).slice(-2000));
  return JSON.parse(new TextDecoder().decode(stdout));
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

Deno.test("C3: 3,000 updates of a 200 kB entry keep what is promised", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const changed = await child("change", dir, "3000", `${BYTES}`);
    assert.deepEqual(changed.page, [4, 5]);
    assert.ok(changed.grown <= PROMISED, `${mb(changed.grown)} of ${mb(PROMISED)}`);
    // A server that has just started has sent no events.
    const loaded = await child("load", dir);
    assert.equal(loaded.seq, changed.seq);
    const promised = HISTORY_RING_BYTES + PARSED;
    assert.ok(loaded.grown <= promised, `${mb(loaded.grown)} of ${mb(promised)} after loading`);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
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
