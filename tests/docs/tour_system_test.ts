/** The commands of the README and of the quick start, run from the first to the last. */
import assert from "node:assert/strict";
import { freePort } from "../helpers/free_port.ts";
import { needs } from "../helpers/require.ts";
import { type Sshd, startSshd } from "../helpers/sshd.ts";
import { checkout, runBlocks, shellBlocks, SHELLS } from "./shell_blocks.ts";

/** The commands with ports that are free here. */
function onFreePorts(blocks: readonly string[]): string[] {
  const [server, service] = [freePort(), freePort()];
  return blocks.map((block) =>
    block.replaceAll("7070", `${server}`).replaceAll("8080", `${service}`)
      .replaceAll(" --local", ` --local --env HARNESS_PORT_HTTP=${service}`)
  );
}

Deno.test({
  name: "README: the tour as pasted into bash and zsh",
  ignore: needs("python3", "zsh"),
  async fn() {
    const blocks = await shellBlocks("README.md", "## A five-minute tour");
    // At the same time: half a minute of it is a health check that does not succeed.
    await Promise.all(SHELLS.map(async (shell) => {
      await using dir = await checkout();
      const session = await runBlocks(onFreePorts(blocks), { shell, cwd: dir.path });
      const said = `${shell.name}: ${session.output}`;
      assert.deepEqual(session.codes, [0, 0, 0, 6, 0], said);
      for (
        const expected of [
          /^harness-ws-server listening on ws:/m,
          /"version":"1\.0\.0"/,
          /^hello-service 1\.0\.0 stopping: SIGTERM/m,
          /^local +rolled_back +health/m,
          /rollback of hello-service 1\.0\.0 succeeded/,
          /^hello-service +running → stopped/m,
        ]
      ) assert.match(session.output, expected, said);
      await assert.rejects(Deno.stat(`${dir.path}/tour`), Deno.errors.NotFound);
    }));
  },
});

Deno.test({
  name: "quick start: from nothing to a rolled-back real host",
  ignore: needs("sshd", "python3"),
  async fn() {
    await using dir = await checkout();
    await using sshd = await startSshd();
    await setUpSsh(dir.path, sshd);
    const blocks = onFreePorts(await shellBlocks("docs/quick-start.md")).map((block) =>
      block.replaceAll("deploy@web1", `${sshd.user}@web1`)
        .replaceAll("/home/deploy/services", `${dir.path}/services`)
    );
    blocks.unshift(`export PATH="$HOME/bin:$PATH"\n`);
    const shell = SHELLS.find(({ name }) => name === "bash") ?? assert.fail();
    const session = await runBlocks(blocks, { shell, cwd: dir.path });
    assert.deepEqual(session.codes, [0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0], session.output);
    assert.match(session.output, /^ +cannot read config\/web\.conf$/m);
    assert.match(session.output, /rollback of web 0\.1\.0 succeeded/);
    assert.match(session.output, /web@web1 +running → stopped/);
    await assert.rejects(Deno.stat(`${dir.path}/quick`), Deno.errors.NotFound);
  },
});

/** What a reader has: a host `web1` that `ssh` can log in to. OpenSSH does not ask HOME where its configuration is. */
async function setUpSsh(dir: string, sshd: Sshd): Promise<void> {
  const config = `${dir}/home/.ssh/config`;
  await Deno.mkdir(`${dir}/home/.ssh`, { mode: 0o700 });
  await Deno.mkdir(`${dir}/home/bin`);
  await Deno.writeTextFile(
    config,
    `Host web1\n  HostName ${sshd.host}\n  Port ${sshd.port}\n` +
      `  IdentityFile ${sshd.identityFile}\n  UserKnownHostsFile ${sshd.knownHostsFile}\n`,
  );
  const ssh = `#!/bin/sh\nexec /usr/bin/ssh -F '${config}' "$@"\n`;
  await Deno.writeTextFile(`${dir}/home/bin/ssh`, ssh, { mode: 0o755 });
}
