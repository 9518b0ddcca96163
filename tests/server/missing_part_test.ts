/**
 * A server that cannot load a part of itself after its start, as one without a free file descriptor: Deno does not try a
 * second time. Here an import map leads to no file.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { LineProcess } from "../helpers/lines.ts";
import { RawSocket } from "../helpers/raw_socket.ts";

const ROOT = new URL("../../", import.meta.url);
const HTTP = "src/server/http/http_handler.ts";
const SOCKETS = "src/server/listeners/ws_sockets.ts";
const RULES = "src/server/actions/run_action.ts";

async function withDir(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "harness-part-" });
  try {
    await work(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Arguments of `deno` for a program that lacks files. */
async function without(dir: string, files: readonly string[]): Promise<string[]> {
  const { imports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  for (const file of files) {
    imports[new URL(file, ROOT).href] = new URL("src/there_is_none.ts", ROOT).href;
  }
  const map = join(dir, "import_map.json");
  await Deno.writeTextFile(map, JSON.stringify({ imports }));
  return ["run", "--no-check", "-A", `--import-map=${map}`];
}

for (const missing of [HTTP, SOCKETS]) {
  Deno.test(`missing part: serve ends without ${missing.replace(/.*\//, "")}`, async () => {
    await withDir(async (dir) => {
      const flags = await without(dir, [missing]);
      const serve = ["serve", "--listen", "127.0.0.1:0", "--state-dir", join(dir, "state")];
      const command = new Deno.Command(Deno.execPath(), {
        args: [...flags, "src/cli/main.ts", ...serve],
        cwd: ROOT,
        env: { NO_COLOR: "1", XDG_RUNTIME_DIR: dir },
      });
      const { code, stdout, stderr } = await command.output();
      const log = new TextDecoder().decode(stderr);
      assert.match(new TextDecoder().decode(stdout), /listening on ws:/);
      assert.equal(code, 1, log);
      assert.equal(log.match(/ERROR .*there_is_none/g)?.length, 1, log);
      assert.match(log, /Shutting down: .*could not load[^]*has shut down/);
    });
  });
}

Deno.test("missing part: a server of the library answers 503", async () => {
  await withDir(async (dir) => {
    const args = [...await without(dir, [HTTP, SOCKETS]), "tests/server/fresh_server.ts"];
    await using server = new LineProcess(Deno.execPath(), args, { cwd: ROOT });
    const port = Number(await server.line());
    for (let round = 0; round < 2; round++) {
      const answer = await fetch(`http://127.0.0.1:${port}/healthz`);
      assert.equal(answer.status, 503);
      assert.equal((await answer.json()).error.code, "unavailable");
      using socket = await RawSocket.open({ port });
      assert.equal(socket.status, 503);
      const body = socket.answer + new TextDecoder().decode(await socket.readToEnd());
      assert.match(body, /"code":"unavailable"/);
    }
  });
});

Deno.test("missing part: actions answer unavailable without rules", async () => {
  await withDir(async (dir) => {
    const args = [...await without(dir, [RULES]), "tests/server/fresh_server.ts"];
    await using server = new LineProcess(Deno.execPath(), args, { cwd: ROOT });
    const port = Number(await server.line());
    const client = new WebSocket(`ws://127.0.0.1:${port}`, "harness.v1");
    const answers: string[] = [];
    const answered = new Promise<void>((resolve, reject) => {
      client.onerror = reject;
      client.onopen = () => client.send('{"id":"1","type":"request","action":"list_services"}');
      client.onmessage = ({ data }) => {
        answers.push(data);
        if (data.includes('"id":"1"')) resolve();
      };
    });
    await answered;
    assert.match(answers.join("\n"), /"unavailable"/);
    const ready = await fetch(`http://127.0.0.1:${port}/readyz`);
    assert.equal(ready.status, 503);
    assert.match((await ready.json()).problems.join(), /could not load/);
    const closed = new Promise((resolve) => client.onclose = resolve);
    client.close();
    await closed;
  });
});
