import assert from "node:assert/strict";
import { connectSsh } from "../../src/executor/ssh/connect.ts";
import { needs } from "../helpers/require.ts";
import { startSshd } from "../helpers/sshd.ts";
import { failure } from "../helpers/rejects.ts";
import { withConfig } from "./ssh_config_fixture.ts";
import { eventually } from "../helpers/raw_client.ts";

Deno.test({
  name: "connectSsh: checks each key on the way through a jump host",
  ignore: needs("sshd"),
  fn: async () => {
    await using gate = await startSshd();
    await using inner = await startSshd({ sameUserKeyAs: gate });
    const config = `
Host gate
  HostName 127.0.0.1
  Port ${gate.port}
Host inner
  HostName 127.0.0.1
  Port ${inner.port}
  ProxyJump gate
Host *
  User ${gate.user}
  IdentityFile ${gate.identityFile}
`;
    await withConfig(config, async (sshConfigFile, dir) => {
      const both = `${dir}/both`;
      const texts = [gate, inner].map(({ knownHostsFile }) =>
        Deno.readTextFileSync(knownHostsFile)
      );
      await Deno.writeTextFile(both, texts.join(""));
      const options = { sshConfigFile, agentSocket: null, connectAttempts: 1 };
      await using machine = await connectSsh({ host: "inner" }, {
        ...options,
        knownHostsFiles: [both],
      });
      assert.equal(machine.host, "inner");
      const { stdout } = await machine.run({ script: 'echo "$SSH_CONNECTION"' });
      assert.match(stdout, new RegExp(` ${inner.port}\\n$`));
      const big = await machine.run({ argv: ["wc", "-c"] }, { stdin: new Uint8Array(5_000_000) });
      assert.equal(big.stdout.trim(), "5000000");
      for (const sshd of [gate, inner]) {
        await eventually(() => /Accepted publickey/.test(sshd.log()), "sshd has said so");
      }

      const only = (file: string) =>
        failure(connectSsh({ host: "inner" }, { ...options, knownHostsFiles: [file] }));
      const gateUnknown = await only(inner.knownHostsFile);
      assert.deepEqual(
        [gateUnknown.details?.host, gateUnknown.details?.reason],
        ["gate", "host_key_unknown"],
      );
      const innerUnknown = await only(gate.knownHostsFile);
      assert.deepEqual(
        [innerUnknown.details?.host, innerUnknown.details?.reason],
        ["inner", "host_key_unknown"],
      );
      await inner.stopListening();
      await inner.killConnections();
      const refused = await only(both);
      assert.deepEqual([refused.details?.host, refused.details?.reason], ["inner", "refused"]);
      assert.match(refused.message, /jump host/);
    });
  },
});
