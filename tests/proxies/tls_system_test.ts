/** docs/tls.md as pasted: authority, certificate, server, clients, and a renewed certificate. */
import assert from "node:assert/strict";
import { connect } from "node:tls";
import { trusting } from "../../src/cli/session/trusted_authority.ts";
import { RegistryClient } from "../../src/client/mod.ts";
import { denoDir, runCli, RunningCli } from "../helpers/cli.ts";
import { freePort } from "../helpers/free_port.ts";
import { buildHello } from "../helpers/hello_package.ts";
import { needs } from "../helpers/require.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { LISTENERS } from "../helpers/test_server.ts";
import { codeBlocks, sh } from "./proxies_fixture.ts";

const MAIN = new URL("../../src/cli/main.ts", import.meta.url).pathname;

/** The serial number of the certificate that a server shows. */
function serialAt(port: number, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "localhost", servername: "localhost", ca }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

Deno.test({
  name: "docs/tls.md: its commands work as pasted",
  ignore: needs("openssl"),
  // The HTTP client of a command lives as long as its process.
  sanitizeResources: false,
  async fn() {
    await using dir = await tempDir();
    const [recipe = "", serve = "", clients = ""] = await codeBlocks("tls.md", "sh");
    assert.match(await sh(dir.path, recipe), /server\.crt: OK/);
    const mode = (await Deno.stat(`${dir.path}/tls/server.key`)).mode ?? 0;
    assert.equal(mode & 0o077, 0);
    await buildHello(`${dir.path}`, { version: "1.0.0", port: 1 });
    await sh(dir.path, "mkdir dist bin && mv hello-service-1.0.0.tar.gz dist/");
    const program = `#!/bin/sh\nexec '${Deno.execPath()}' run -A --quiet '${MAIN}' "$@"\n`;
    await Deno.writeTextFile(`${dir.path}/bin/harness-ws-server`, program, { mode: 0o755 });

    const sign = /^openssl x509 -req .*?-out server\.crt$/ms.exec(recipe)?.[0] ?? "exit 1";
    for (const listener of LISTENERS) {
      const port = freePort();
      // Only the name, which no resolver here knows, and what is shared with other tests.
      const here = (text: string) =>
        text.replaceAll("harness.example.org", "localhost").replaceAll("8443", `${port}`);
      const stateDir = `${dir.path}/state-${listener}`;
      const args = here(serve).trim().split(" ").slice(1);
      const start = async () => {
        const server = new RunningCli([...args, "--state-dir", stateDir, "--listener", listener], {
          cwd: dir.path,
        });
        await server.until(({ stdout }) => stdout.includes("\n"));
        assert.match(server.stdout, /^harness-ws-server listening on wss:/);
        return server;
      };
      const env = {
        PATH: `${dir.path}/bin:${Deno.env.get("PATH")}`,
        HOME: dir.path,
        DENO_DIR: await denoDir(),
      };
      const asClient = () => sh(dir.path, here(clients), env);
      await using server = await start();
      await sh(dir.path, `cp '${stateDir}/token' token`);
      assert.match(await asClient(), /uploading hello-service-1\.0\.0\.tar\.gz/);
      const untrusting = await runCli(["services", "--url", `wss://localhost:${port}`]);
      assert.match(untrusting.stderr, /certificate is not trusted/);
      assert.equal(untrusting.code, 4);

      // Renewed by the command of the recipe that signs, and a SIGHUP.
      const ca = await Deno.readTextFile(`${dir.path}/tls/ca.crt`);
      const first = await serialAt(port, ca);
      await using open = await RegistryClient.connect(`wss://localhost:${port}`, {
        ...await trusting(ca),
        token: (await Deno.readTextFile(`${stateDir}/token`)).trim(),
        reconnect: false,
      });
      await sh(`${dir.path}/tls`, sign);
      server.kill("SIGHUP");
      await server.until(({ stderr }) => /certificate again: it is valid until/.test(stderr));
      const second = await serialAt(port, ca);
      assert.notEqual(second, first);
      assert.match(await asClient(), /is on the server already/);
      await Deno.rename(`${dir.path}/tls/server.crt`, `${dir.path}/tls/kept.crt`);
      await Deno.writeTextFile(`${dir.path}/tls/server.crt`, "nonsense");
      server.kill("SIGHUP");
      await server.until(({ stderr }) => /certificate again, the one from before/.test(stderr));
      assert.equal(await serialAt(port, ca), second);
      await Deno.rename(`${dir.path}/tls/kept.crt`, `${dir.path}/tls/server.crt`);
      assert.deepEqual(await open.listServices(), []);
    }
  },
});
