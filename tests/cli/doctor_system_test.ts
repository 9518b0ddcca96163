import assert from "node:assert/strict";
import { runCli } from "../helpers/cli.ts";
import { needs } from "../helpers/require.ts";
import { startSshd } from "../helpers/sshd.ts";

Deno.test({
  name: "doctor --host: reports what is there, or why it failed",
  ignore: needs("sshd"),
  fn: async () => {
    await using sshd = await startSshd();
    const host = `${sshd.user}@${sshd.host}:${sshd.port}`;
    const dir = await Deno.makeTempDir({ prefix: "harness-doctor-" });
    try {
      const flags = [
        ...["--identity", sshd.identityFile, "--known-hosts", sshd.knownHostsFile],
        ...["--ssh-config", "none", "--install-root", `${dir}/opt`, "--url", "ws://127.0.0.1:9"],
      ];
      const fine = await runCli(["doctor", "--host", host, ...flags]);
      assert.equal(fine.code, 0, fine.stdout);
      assert.match(
        fine.stdout,
        new RegExp(`^ok {4}${host} install root: ${dir}/opt can be written$`, "m"),
      );
      const both = await runCli(["doctor", "--host", "x@127.0.0.1:9", "--host", host, ...flags]);
      assert.equal(both.code, 4, both.stdout);
      assert.match(both.stdout, /^fail {2}x@127\.0\.0\.1:9: .*refused/m);
      await Deno.writeTextFile(`${dir}/known_hosts`, "");
      const unknown = await runCli([
        ...["doctor", "--host", host, ...flags, "--known-hosts", `${dir}/known_hosts`],
      ]);
      assert.equal(unknown.code, 4, unknown.stdout);
      assert.match(unknown.stdout, /host key/);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});
