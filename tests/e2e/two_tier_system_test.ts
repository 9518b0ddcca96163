/** examples/two-tier: its script, against the real program. */
import assert from "node:assert/strict";
import { runCli, startServer } from "../helpers/cli.ts";
import { freePort } from "../helpers/free_port.ts";
import { needs } from "../helpers/require.ts";
import { tempDir } from "../helpers/temp_dir.ts";

const EXAMPLE = new URL("../../examples/two-tier", import.meta.url).pathname;
const MAIN = new URL("../../src/cli/main.ts", import.meta.url).pathname;

Deno.test("examples/two-tier: order, addresses, an outage", {
  ignore: needs("curl"),
}, async (t) => {
  await using dir = await tempDir();
  await using server = await startServer(["--install-root", `${dir.path}/opt`]);
  const token = `${server.stateDir}/token`;
  const ports = { API_PORT: `${freePort()}`, WEB_PORT: `${freePort()}` };
  const run = async (step: string) => {
    const { success, stdout, stderr } = await new Deno.Command(`${EXAMPLE}/run.sh`, {
      args: [step],
      env: {
        ...ports,
        HARNESS: `${Deno.execPath()} run -A --quiet ${MAIN}`,
        HARNESS_URL: server.url,
        HARNESS_TOKEN_FILE: token,
        JS_RUNTIME: Deno.execPath(),
        OUT: `${dir.path}/packages`,
      },
    }).output();
    const [text, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    assert.ok(success, `${text}\n${errors}`);
    return text ?? "";
  };

  await t.step("web alone does not come up, and says why", async () => {
    const cli = (...args: string[]) =>
      runCli(args, { env: { HARNESS_URL: server.url, HARNESS_TOKEN_FILE: token } });
    const built = await cli("package", "build", `${EXAMPLE}/web`, "--out", `${dir.path}/alone`);
    assert.equal(built.code, 0, built.stderr);
    const runtime = `JS_RUNTIME=${Deno.execPath()}`;
    const file = `${dir.path}/alone/web-1.0.0.tar.gz`;
    const { code, stdout, stderr } = await cli("deploy", file, "--local", "--env", runtime);
    assert.notEqual(code, 0);
    assert.match(`${stdout}${stderr}`, /API_ADDR is not set/);
    await cli("service", "deregister", "web");
  });
  await t.step("up: web is given the address of api", async () => {
    const text = await run("up");
    assert.match(text, new RegExp(`http +http +127.0.0.1:${ports.API_PORT}`));
    assert.match(text, /you are visitor 1/);
  });
  await t.step("outage: web runs on, and api comes back", async () => {
    const text = await run("outage");
    assert.match(text, /api at 127.0.0.1:\d+ does not answer\n[^]*\(exit code 1\)/);
    assert.match(
      text,
      /1\. start api\n[^]*visitor 1[^]*1\. stop web\n2\. stop api\n3\. start api\n4\. start web/,
    );
  });
  await t.step("down: nothing is left", async () => {
    const text = await run("down");
    assert.match(text, /1\. stop web\n2\. stop api\n[^]*web removed\n[^]*api removed/);
  });
});
