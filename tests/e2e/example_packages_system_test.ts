/** The packages of examples/ that are built first: compiled, deployed, updated, rolled back, removed. */
import assert from "node:assert/strict";
import { runHere, startServer } from "../helpers/cli.ts";
import { removeAll } from "../helpers/containers.ts";
import { freePort } from "../helpers/free_port.ts";
import { answer } from "../helpers/hello_package.ts";
import { needs } from "../helpers/require.ts";
import { tempDir } from "../helpers/temp_dir.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** Builds both versions of an example on a free port, and takes them through their life. */
async function liveOf(name: string): Promise<void> {
  await using dir = await tempDir();
  const port = freePort();
  await run("cp", "-R", `${ROOT}examples/.`, `${dir.path}/examples`);
  const manifest = `${dir.path}/examples/${name}/package/manifest.yaml`;
  const text = await Deno.readTextFile(manifest);
  await Deno.writeTextFile(manifest, text.replace(/port: 80\d\d,/, `port: ${port},`));
  for (const version of ["1.0.0", "1.1.0"]) {
    await run(`${dir.path}/examples/${name}/build.sh`, version, `${dir.path}/dist`);
  }
  const install = `${dir.path}/opt`;
  await Deno.mkdir(install);
  await using server = await startServer(["--install-root", install]);
  const flags = ["--url", server.url, "--token-file", `${server.stateDir}/token`];
  const cli = async (...args: string[]) => {
    const { code, stdout, stderr } = await runHere([...args, ...flags]);
    assert.equal(code, 0, `${args.join(" ")}: ${stdout}${stderr}`);
    return stdout;
  };
  try {
    for (const version of ["1.0.0", "1.1.0"]) {
      await cli("deploy", `${dir.path}/dist/${name}-${version}.tar.gz`, "--local");
      assert.equal((await answer(port)).version, version);
    }
    await cli("rollback", name);
    assert.equal((await answer(port)).version, "1.0.0");
    const { state, last_health_check } = JSON.parse(await cli("service", "get", name, "--json"));
    assert.deepEqual([state, last_health_check?.healthy], ["running", true]);
    await cli("service", "restart", name);
    assert.equal((await answer(port)).version, "1.0.0");
  } finally {
    await runHere(["service", "stop", name, ...flags]);
  }
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(command, {
    args,
    env: { PATH: `${ROOT}src/cli/bin:${Deno.env.get("PATH")}` },
  }).output();
  const decoder = new TextDecoder();
  assert(success, `${command}: ${decoder.decode(stdout)}${decoder.decode(stderr)}`);
}

Deno.test({
  name: "compiled-service: built by cc, deployed, rolled back",
  ignore: needs("cc"),
  fn: () => liveOf("compiled-service"),
});

Deno.test({
  name: "docker-service: its image comes in the package",
  ignore: needs("cc", "docker"),
  async fn() {
    try {
      await liveOf("docker-service");
    } finally {
      const images = ["1.0.0", "1.1.0"].map((version) => `docker-service:${version}`);
      await removeAll(["docker-service"], images);
    }
  },
});
