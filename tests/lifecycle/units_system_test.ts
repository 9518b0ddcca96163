import assert from "node:assert/strict";
import * as knownScripts from "../../src/lifecycle/drivers/systemd/known/scripts.ts";
import * as systemdScripts from "../../src/lifecycle/drivers/systemd/generated/scripts.ts";
import { needs } from "../helpers/require.ts";

Deno.test({
  name: "systemd scripts: sound sh in bash and BusyBox",
  ignore: needs("busybox"),
  async fn() {
    const scripts = Object.entries({ ...systemdScripts, ...knownScripts });
    for (const [program = "", ...args] of [["bash"], ["busybox", "sh"]]) {
      for (const [name, script] of scripts) {
        const { success, stderr } = await new Deno.Command(program, {
          args: [...args, "-n", "-c", script],
        }).output();
        assert.ok(success, `${program} ${name}: ${new TextDecoder().decode(stderr)}`);
      }
    }
  },
});
