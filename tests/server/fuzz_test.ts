/** 100,000 fuzzed frames against the connection handler, and some thousands over real sockets. */
import assert from "node:assert/strict";
import { Registry } from "../../src/registry/registry.ts";
import { ConnectionHandler } from "../../src/server/handler.ts";
import type { ServerSocket } from "../../src/server/connection/server_socket.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";
import { eventually, type Frame, RawClient } from "../helpers/raw_client.ts";
import { SEED } from "../helpers/seed.ts";
import { LISTENERS, startServer } from "../helpers/test_server.ts";
import { Fuzzer } from "./fuzz.ts";

/** Another number of frames: HARNESS_FUZZ_FRAMES; other frames: HARNESS_FUZZ_SEED. */
const FRAMES = Number(Deno.env.get("HARNESS_FUZZ_FRAMES") ?? 10_000);
const FRAMES_PER_CONNECTION = 1000;
const MAX_STALL_MS = 50;
const LIMITS = { maxBadMessages: 1e9, maxRequestsPerSecond: 1e9, maxInFlightRequests: 1e6 };

/** A socket that keeps what it is given and takes everything at once. */
class RecordingSocket implements ServerSocket {
  readonly frames: Frame[] = [];
  closed: number | null = null;

  send(text: string): void {
    this.frames.push(JSON.parse(text));
  }

  close(code: number): void {
    this.closed = code;
  }

  bufferedBytes(): number {
    return 0;
  }
}

Deno.test(`ConnectionHandler: answers ${FRAMES} fuzzed frames once`, async () => {
  await using registry = await Registry.open(new MemoryStore({ historyEvents: 1000 }));
  await using handler = new ConnectionHandler({ registry, limits: LIMITS });
  const fuzzer = new Fuzzer(SEED);
  const codes = new Map<string, number>();
  for (let done = 0; done < FRAMES; done += FRAMES_PER_CONNECTION) {
    const socket = new RecordingSocket();
    const connection = handler.open(socket);
    const ids = new Set<string>();
    let repeated = 0; // each is answered, too
    for (let i = 0; i < FRAMES_PER_CONNECTION; i++) {
      const { data, id } = fuzzer.next();
      if (id !== undefined) ids.add(id);
      const start = performance.now();
      connection.onMessage(data);
      if (performance.now() - start > MAX_STALL_MS) {
        assertFast(() => {
          repeated++;
          connection.onMessage(data);
        }, data);
      }
    }
    const answers = () => socket.frames.filter((frame) => frame["type"] === "response");
    await eventually(
      () => answers().length >= FRAMES_PER_CONNECTION + repeated,
      "an answer to every frame",
    );
    for (const { id, error } of answers()) {
      ids.delete(id);
      const code = error?.code ?? "ok";
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    assert.deepEqual([...ids], [], "unanswered ids");
    assert.equal(socket.closed, null);
    connection.onClose();
    for (const { id } of registry.list()) await registry.deregister(id);
  }
  assert.equal(codes.get("internal"), undefined);
  assert.equal(handler.connections, 0);
  const expected = [
    "ok",
    "parse_error",
    "invalid_request",
    "invalid_params",
    "unknown_action",
    "not_found",
  ];
  for (const code of expected) {
    assert.ok((codes.get(code) ?? 0) > FRAMES / 1000, `${code}: ${codes.get(code)}`);
  }
});

/** A slow moment may be the machine's: a frame is slow when it is slow each time. */
function assertFast(send: () => void, data: unknown): void {
  const times = Array.from({ length: 3 }, () => {
    const start = performance.now();
    send();
    return performance.now() - start;
  });
  assert.ok(Math.min(...times) <= MAX_STALL_MS, `${times} ms for ${String(data).slice(0, 500)}`);
}

for (const listener of LISTENERS) {
  Deno.test(`server ${listener}: answers 4,000 fuzzed frames`, async () => {
    await using running = await startServer({ listener, limits: LIMITS });
    const fuzzer = new Fuzzer(SEED + 1);
    for (let round = 0; round < 8; round++) {
      await using client = await RawClient.ready(running.url);
      for (let i = 0; i < 500; i++) {
        client.send(fuzzer.next().data);
        if (i % 50 === 0) await client.request("get_service", { name: "nobody" });
      }
      await eventually(
        () => client.log.filter((frame) => frame["type"] === "response").length === 510,
        "an answer to every frame",
      );
    }
    await eventually(() => running.server.connections === 0, "all connections gone");
  });
}
