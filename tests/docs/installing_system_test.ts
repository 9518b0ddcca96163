/** What docs/installing.md and the README say about installing, done. */
import assert from "node:assert/strict";
import { RUN_FLAGS } from "../../.ci/compile.ts";
import { bundle } from "../helpers/bundle.ts";
import { needs } from "../helpers/require.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { runOrThrow } from "../hosts/docker.ts";
import { startHost, type TestHost } from "../hosts/hosts.ts";
import { shellBlocks } from "./shell_blocks.ts";
import { untilPasses } from "../helpers/raw_client.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const UNIT = "examples/systemd/harness-ws-server.service";
const PROGRAM = "/usr/local/bin/harness-ws-server";

async function blockWith(file: string, words: string): Promise<string> {
  const found = (await shellBlocks(file)).filter((block) => block.includes(words));
  assert.equal(found.length, 1, `${file}: ${words}`);
  return found[0] ?? "";
}

async function bash(
  script: string,
  cwd: string,
  env: Record<string, string> = {},
): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-euo", "pipefail", "-c", script],
    cwd,
    env,
  }).output();
  const text = new TextDecoder();
  const said = text.decode(stdout) + text.decode(stderr);
  assert.equal(code, 0, said);
  return said;
}

for (const file of ["README.md", "docs/installing.md"]) {
  Deno.test(`${file}: deno install gives the binary's flags`, async () => {
    await using dir = await tempDir();
    const block = await blockWith(file, "deno install");
    const flags = block.match(/--(?:no-prompt|allow-|v8-flags)\S*/g);
    assert.deepEqual(flags, RUN_FLAGS);
    // From the source instead of from JSR.
    const local = block.replace(/jsr:@harness\/service-registry@[\d.]+\/cli/, "src/cli/main.ts")
      .replace("--global", `--global --quiet --config deno.json --root '${dir.path}'`);
    assert.notEqual(local, block);
    await bash(local, ROOT);
    const said = await bash(`${dir.path}/bin/harness-ws-server --version`, dir.path);
    assert.match(said, /^harness-ws-server \d/);
  });

  Deno.test(`${file}: the download is checked, then installed`, async () => {
    await using dir = await tempDir();
    const block = (await blockWith(file, "SHA256SUMS\nsudo install"))
      .replace("sudo install", "install").replaceAll("/usr/local/bin", dir.path);
    const release = `${dir.path}/download/v0.1.0`;
    await Deno.mkdir(release, { recursive: true });
    const binary = "harness-ws-server-x86_64-unknown-linux-gnu";
    await Deno.writeTextFile(`${release}/${binary}`, "#!/bin/sh\necho installed\n");
    await bash(`sha256sum ${binary} >SHA256SUMS`, release);
    const env = { releases: `file://${dir.path}`, PATH: `${dir.path}:${Deno.env.get("PATH")}` };
    await Deno.mkdir(`${dir.path}/here`);
    await bash(block, `${dir.path}/here`, env);
    assert.equal(await bash("harness-ws-server", dir.path, env), "installed\n");

    await Deno.remove(`${dir.path}/harness-ws-server`);
    await Deno.writeTextFile(`${release}/${binary}`, "#!/bin/sh\necho another\n");
    await assert.rejects(bash(block, `${dir.path}/here`, env), /FAILED/);
    await assert.rejects(Deno.stat(`${dir.path}/harness-ws-server`), Deno.errors.NotFound);
  });
}

/** Puts the program and Deno on a host, as one file with the flags of the binary. */
async function installProgram(host: TestHost, dir: string): Promise<void> {
  await bundle({ entry: "src/cli/main.ts", out: `${dir}/program.js` });
  const start = `#!/bin/sh\nexport DENO_DIR=/tmp/deno\nexec /usr/local/bin/deno run --no-config ` +
    `--no-lock ${RUN_FLAGS.join(" ")} /usr/local/lib/program.js "$@"\n`;
  await Deno.writeTextFile(`${dir}/start`, start, { mode: 0o755 });
  for (
    const [from, to] of [
      [Deno.execPath(), "/usr/local/bin/deno"],
      [`${dir}/program.js`, "/usr/local/lib/program.js"],
      [`${dir}/start`, PROGRAM],
      [`${ROOT}${UNIT}`, "/root/harness-ws-server.service"],
    ] as const
  ) await runOrThrow("docker", ["cp", "--follow-link", from, `${host.name}:${to}`]);
}

Deno.test({
  name: "installing: the hardened unit on a real systemd",
  ignore: needs("docker"),
  async fn(t) {
    await using dir = await tempDir();
    await using host = await startHost();
    await installProgram(host, dir.path);
    const root = async (script: string) => {
      const { code, stdout, stderr } = await host.sh(script);
      assert.equal(code, 0, `${script}: ${stdout}${stderr}`);
      return stdout + stderr;
    };
    const block = await blockWith("docs/installing.md", "useradd");

    await t.step("as the document has it", async () => {
      await root(`cd /root && set -e\n${block.replace("examples/systemd/", "")}`);
      await untilPasses(async () => {
        const log = await root("journalctl -u harness-ws-server --no-pager");
        assert.match(log, /listening on ws:\/\/127\.0\.0\.1:8080/);
      });
      assert.equal(await root("systemctl is-active harness-ws-server"), "active\n");
    });

    await t.step("systemd finds no fault in the unit", async () => {
      const said = await root(
        "systemd-analyze verify /etc/systemd/system/harness-ws-server.service 2>&1",
      );
      assert.doesNotMatch(said, /harness-ws-server/);
    });

    await t.step("the exposure that the document names", async () => {
      const said = await root("systemd-analyze security --no-pager harness-ws-server");
      const level = /exposure level[^:]*: ([\d.]+) /.exec(said)?.[1];
      const text = await Deno.readTextFile(`${ROOT}docs/installing.md`);
      assert.match(text, /rates it below 2 of 10/);
      assert.ok(Number(level) < 2, level);
    });

    await t.step("its user's commands have the token, and may change things", async () => {
      const run = await blockWith("docs/installing.md", "runuser");
      assert.match(await root(`cd / && ${run}`), /ID +STATE|no services|^\s*$/i);
      const register = "service register db --version 16 --command /bin/true";
      await root(`cd / && runuser -u harness -- harness-ws-server ${register}`);
      // What runs a program needs the token: the unit's user has no runtime directory.
      const start = "service register t --version 1 --command /bin/sleep --arg 1000";
      await root(`cd / && runuser -u harness -- harness-ws-server ${start}`);
      await root("cd / && runuser -u harness -- harness-ws-server service start t");
    });

    await t.step("reload, and a restart that keeps the state", async () => {
      await root("systemctl reload harness-ws-server && systemctl restart harness-ws-server");
      await untilPasses(async () => {
        assert.match(
          await root("cd / && runuser -u harness -- harness-ws-server services"),
          /db/,
        );
      });
      await root("systemctl stop harness-ws-server");
      const result = await root("systemctl show -p Result -p ExecMainStatus harness-ws-server");
      assert.match(result, /Result=success/);
      assert.match(result, /ExecMainStatus=0/);
    });
  },
});
