import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { checkHostKey, fingerprint, parseKnownHosts } from "../../src/executor/ssh/known_hosts.ts";
import { addKnownHost } from "../../src/executor/ssh/known_hosts_file.ts";
import { needs } from "../helpers/require.ts";
import { runProgram } from "../helpers/sshd.ts";

Deno.test({
  name: "parseKnownHosts: agrees with ssh-keygen",
  ignore: needs("sshd"),
  fn: async () => {
    const dir = await Deno.makeTempDir({ prefix: "harness-known-hosts-" });
    try {
      await runProgram("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", `${dir}/key`]);
      const [type = "", base64 = ""] = (await Deno.readTextFile(`${dir}/key.pub`)).split(" ");
      const key = Buffer.from(base64, "base64");
      const printed = await runProgram("ssh-keygen", ["-lf", `${dir}/key.pub`]);
      assert.ok(printed.includes(` ${fingerprint(key)} `), printed);

      const file = `${dir}/known_hosts`;
      await Deno.writeTextFile(file, `[h1.example]:2200 ${type} ${base64}\nh2 ${type} ${base64}\n`);
      await runProgram("ssh-keygen", ["-H", "-f", file]);
      const text = await Deno.readTextFile(file);
      assert.match(text, /^(\|1\|\S+ ssh-ed25519 \S+\n){2}$/, "the names are hashed");
      const { entries } = parseKnownHosts(text, file);
      assert.equal(checkHostKey(entries, "[h1.example]:2200", key).status, "known");
      assert.equal(checkHostKey(entries, "h2", key).status, "known");
      assert.equal(checkHostKey(entries, "h3", key).status, "unknown");

      await addKnownHost([file], "[h3]:23", key);
      const found = await runProgram("ssh-keygen", ["-F", "[h3]:23", "-f", file]);
      assert.match(found, new RegExp(`^\\[h3\\]:23 ${type} `, "m"));
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});
