import assert from "node:assert/strict";
import { eventually } from "../helpers/raw_client.ts";
import { inTempDir } from "../helpers/temp_dir.ts";

const MAIN = new URL("./main.ts", import.meta.url).pathname;

function bench(...args: string[]): Deno.Command {
  const all = ["run", "--quiet", "-A", MAIN, ...args];
  return new Deno.Command(Deno.execPath(), { args: all, stdout: "piped", stderr: "piped" });
}

async function run(...args: string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await bench(...args).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return { code, text };
}

Deno.test("bench --list: names rows, targets, and what limits them", async () => {
  const { code, text } = await run("--list");
  assert.equal(code, 0);
  assert.match(text, /^4-get_service: limited by .+\n {4}get_service, 64 connections: ≥ 0\.90 ×$/m);
  assert.ok(text.indexOf("\n4-") < text.indexOf("\n13-"), "in the order of their numbers");
});

Deno.test("bench: a wrong row or flag says what there is", async () => {
  const wrong = await run("--rows", "4,nonsense");
  assert.equal(wrong.code, 2);
  assert.match(wrong.text, /No row "nonsense"; there are .*4-get_service/);
  assert.equal((await run("--nonsense")).code, 2);
  assert.match((await run("--rows=4", "--out=x")).text, /leave --rows away/);
});

Deno.test("bench: an interrupted run leaves nothing behind", async () => {
  await inTempDir(async (dir) => {
    const child = bench("--rows", "4", "--rounds", "1000", "--dir", dir).spawn();
    // The second server of the row is up: there are processes and directories to be ended.
    const servers = () => {
      const [root] = [...Deno.readDirSync(dir)];
      if (root === undefined) return false;
      const states = [...Deno.readDirSync(`${dir}/${root.name}`)]
        .filter(({ name }) => name.endsWith("-state"));
      return states.length > 1;
    };
    await eventually(servers, "the servers");
    child.kill("SIGINT");
    const { code, stderr } = await child.output();
    assert.equal(code, 130, new TextDecoder().decode(stderr));
    assert.deepEqual([...Deno.readDirSync(dir)], []);
    const { stdout } = await new Deno.Command("ps", { args: ["-A", "-o", "args"] }).output();
    const left = new TextDecoder().decode(stdout).split("\n").filter((one) => one.includes(dir));
    assert.deepEqual(left, []);
  });
});
