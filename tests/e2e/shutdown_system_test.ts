/** How a server with hosts ends. */
import assert from "node:assert/strict";
import { runCli, startServer } from "../helpers/cli.ts";
import { buildHello, freePort } from "../helpers/hello_package.ts";
import { needs } from "../helpers/require.ts";
import { startSshd } from "../helpers/sshd.ts";
import { tempDir } from "../helpers/temp_dir.ts";

Deno.test({
  name: "shutdown: a silent host does not hold it up",
  ignore: needs("sshd"),
  async fn() {
    await using dir = await tempDir();
    await using sshd = await startSshd();
    // Commands on a silent host are given up after longer than this, one after the other.
    await using server = await startServer([
      ...["--install-root", `${dir.path}/opt`, "--shutdown-timeout", "10s"],
      ...["--identity", sshd.identityFile, "--known-hosts", sshd.knownHostsFile],
    ]);
    const built = await buildHello(dir.path, { version: "1.0.0", port: freePort() });
    const at = ["--url", server.url, "--token-file", `${server.stateDir}/token`];
    const host = `${sshd.user}@${sshd.host}:${sshd.port}`;
    const deployed = await runCli(["deploy", built.path, "--host", host, ...at]);
    assert.equal(deployed.code, 0, deployed.stderr);
    const listed = await runCli(["services", "--json", ...at]);
    const { pid } = JSON.parse(listed.stdout.split("\n")[0] ?? "")[0].execution;
    try {
      await sshd.holdConnections();
      server.cli.kill("SIGTERM");
      const { code, stderr } = await server.cli.end();
      assert.equal(code, 0, stderr);
      assert.doesNotMatch(stderr, /Shutdown took over/);
    } finally {
      Deno.kill(pid, "SIGTERM");
    }
  },
});
