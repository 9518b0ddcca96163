import assert from "node:assert/strict";
import { runCli } from "../helpers/cli.ts";
import { needs } from "../helpers/require.ts";
import { inTempDir } from "../helpers/temp_dir.ts";

Deno.test({
  name: "package sign: minisign verifies the signature",
  ignore: needs("minisign"),
  fn: () =>
    inTempDir(async (dir) => {
      const run = (...args: string[]) => runCli(["package", ...args], { cwd: dir });
      await run("init", "svc");
      await run("build", "svc");
      await run("keygen", "--out", "k");
      await run("sign", "svc-0.1.0.tar.gz", "--key", "k.key");
      const { code, stdout } = await new Deno.Command("minisign", {
        args: ["-Vm", "svc-0.1.0.tar.gz", "-p", "k.pub"],
        cwd: dir,
      }).output();
      assert.equal(code, 0);
      assert.match(new TextDecoder().decode(stdout), /Trusted comment: name:svc version:0\.1\.0/);
    }),
});
