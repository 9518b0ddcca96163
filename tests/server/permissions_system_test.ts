/** A server of the library, started by a person in a terminal with few permissions. */
import assert from "node:assert/strict";
import { Terminal } from "../helpers/pty.ts";
import { needs } from "../helpers/require.ts";
import { tempDir } from "../helpers/temp_dir.ts";

const ROOT = new URL("../../", import.meta.url);

const PROGRAM = `
import { MemoryStore, Registry, serve } from "${new URL("mod.ts", ROOT)}";
await using registry = await Registry.open(new MemoryStore());
const server = await serve({ registry, port: 0 });
const socket = new WebSocket(server.url, "harness.v1");
await new Promise((resolve) => socket.onmessage = resolve);
socket.close();
await server.shutdown("the test has ended");
console.log("served");
`;

Deno.test({
  name: "serve: asks nobody for a permission",
  ignore: needs("python3"),
  async fn() {
    await using dir = await tempDir();
    const file = `${dir.path}/server.ts`;
    await Deno.writeTextFile(file, PROGRAM);
    const read = `--allow-read=${ROOT.pathname},${file}`; // what it is loaded from
    await using terminal = new Terminal([
      ...[Deno.execPath(), "run", "--no-check", `--config=${ROOT.pathname}deno.json`],
      ...["--allow-net", "--allow-env", read, file],
    ], { columns: 200, env: { HOME: Deno.env.get("HOME") ?? "/" } });
    await terminal.until(({ output }) => /served|requests/.test(output));
    assert.doesNotMatch(terminal.scrollback, /requests/);
  },
});
