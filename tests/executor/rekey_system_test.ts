import assert from "node:assert/strict";
import { needs } from "../helpers/require.ts";
import { startSshd } from "../helpers/sshd.ts";
import { connectTo } from "./machines.ts";
import { eventually } from "../helpers/raw_client.ts";

Deno.test({
  name: "Executor.run: survives a rekey in the middle of an upload",
  ignore: needs("sshd"),
  fn: async () => {
    await using sshd = await startSshd({ config: ["RekeyLimit 4M", "LogLevel DEBUG1"] });
    await using machine = await connectTo(sshd);
    const text = Array.from({ length: 100_000 }, (_, i) => i).join(" ");
    const bytes = 40 * 1024 * 1024;
    let received = 0;
    const [up, down, talk] = await Promise.all([
      machine.run({ argv: ["wc", "-c"] }, { stdin: new Uint8Array(bytes) }),
      machine.run({ script: `head -c ${bytes} /dev/zero` }, {
        onStdout: (chunk) => received += chunk.length,
      }),
      machine.run({ argv: ["cat"] }, { stdin: text }),
    ]);
    assert.equal(Number(up.stdout), bytes);
    assert.deepEqual([down.exitCode, received], [0, bytes]);
    assert.equal(talk.stdout, text, "every byte is the one that was sent");
    const exchanges = /rekey (out|in) after|set_newkeys: rekeying|rekeying/g;
    await eventually(() => (sshd.log().match(exchanges) ?? []).length >= 5, "sshd has told of 5");
  },
});
