/** The first client of a server, which loads its WebSockets then: what it sends meanwhile is answered. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { join } from "node:path";
import { bundle } from "../helpers/bundle.ts";
import { LineProcess } from "../helpers/lines.ts";
import { needs } from "../helpers/require.ts";
import { nodePath } from "../helpers/runtimes.ts";

const HANDSHAKE = [
  "GET / HTTP/1.1",
  "Host: 127.0.0.1",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "",
  "",
].join("\r\n");

/** A masked frame with a request. */
function request(id: string): Uint8Array {
  const text = new TextEncoder().encode(`{"id":"${id}","type":"request","action":"list_services"}`);
  return new Uint8Array([0x81, 0x80 | text.length, 0, 0, 0, 0, ...text]);
}

/** Writes pieces one after the other, before anything was received; resolves when all requests are answered. */
async function answered(port: number, pieces: readonly (string | Uint8Array)[]): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.setNoDelay();
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  let text = "";
  for await (const chunk of socket) {
    text += (chunk as Uint8Array & { toString(encoding: string): string }).toString("latin1");
    if (["1", "2", "3"].every((id) => text.includes(`{"id":"${id}","type":"response"`))) return;
  }
  assert.fail(`not all were answered: ${text.slice(-300)}`);
}

const ONE_PIECE = [
  Uint8Array.from([
    ...new TextEncoder().encode(HANDSHAKE),
    ...request("1"),
    ...request("2"),
    ...request("3"),
  ]),
];
const MANY_PIECES = [
  HANDSHAKE,
  request("1"),
  request("2").subarray(0, 9),
  request("2").subarray(9),
  request("3"),
];

const RUNTIMES = [
  { name: "deno", command: () => Promise.resolve(Deno.execPath()), args: ["run", "-A"] },
  { name: "node22", command: () => nodePath(22), args: [] },
  { name: "bun", command: () => Promise.resolve("bun"), args: [] },
] as const;

for (const { name, command, args } of RUNTIMES) {
  Deno.test({
    name: `first client: nothing that it sends at once is lost (${name})`,
    ignore: name !== "deno" && needs(name),
    async fn() {
      const dir = await Deno.makeTempDir({ prefix: "harness-first-" });
      try {
        const out = join(dir, "server.mjs");
        await bundle({ entry: "tests/server/fresh_server.ts", out });
        for (const pieces of [ONE_PIECE, MANY_PIECES]) {
          await using server = new LineProcess(await command(), [...args, out]);
          await answered(Number(await server.line()), pieces);
        }
      } finally {
        await Deno.remove(dir, { recursive: true });
      }
    },
  });
}
