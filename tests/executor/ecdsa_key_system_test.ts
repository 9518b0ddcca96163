import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
// @ts-types="@types/ssh2"
import ssh2 from "ssh2";
import { repairEcdsaKey } from "../../src/executor/ssh/workarounds/ecdsa_key.ts";
import { needs } from "../helpers/require.ts";
import { runProgram } from "../helpers/sshd.ts";

Deno.test({
  name: "repairEcdsaKey: every ECDSA key signs",
  ignore: needs("sshd"),
  fn: async () => {
    const dir = await Deno.makeTempDir({ prefix: "harness-ecdsa-" });
    try {
      const data = Buffer.from("to be signed");
      for (const bits of ["256", "384", "521"]) {
        // Without the repair each of the first two kinds fails with a probability of one half.
        for (let i = 0; i < 12; i += 1) {
          const file = `${dir}/${bits}_${i}`;
          await runProgram("ssh-keygen", ["-q", "-t", "ecdsa", "-b", bits, "-N", "", "-f", file]);
          const parsed = ssh2.utils.parseKey(await Deno.readTextFile(file));
          assert.ok(!(parsed instanceof Error));
          const key = [parsed].flat()[0];
          assert.ok(key !== undefined);
          repairEcdsaKey(key);
          assert.equal(key.verify(data, key.sign(data) as Buffer), true, file);
        }
      }
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});
