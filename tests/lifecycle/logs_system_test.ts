import assert from "node:assert/strict";
import { localMachine, Place, processController, REMOTES } from "./fixture.ts";
import { needs } from "../helpers/require.ts";
import { testLongLine } from "./logs_cases.ts";
import { untilPasses } from "../helpers/raw_client.ts";

for (const kind of REMOTES) testLongLine(kind);

Deno.test({
  name: "log: a full disk loses output, not the service",
  ignore: needs("root", "tmpfs"),
  async fn() {
    await using place = new Place();
    await using machine = await localMachine();
    const [dir, gate] = [place.path("log"), place.path("gate")];
    await Deno.mkdir(dir);
    const mount = ["-t", "tmpfs", "-o", "size=1m", "tmpfs", dir];
    assert.ok((await new Deno.Command("mount", { args: mount }).output()).success);
    try {
      await Deno.writeFile(`${dir}/ballast`, new Uint8Array(900_000));
      const script = `head -c 3000000 /dev/zero | tr '\\0' x; : > ${place.path("written")}
while [ ! -e ${gate} ]; do sleep 0.1; done; echo; while :; do echo again; sleep 0.1; done`;
      const controller = processController(machine, place.shell("full", script));
      await controller.start();
      await untilPasses(() => Deno.stat(place.path("written")));
      await Deno.remove(`${dir}/ballast`);
      await Deno.writeTextFile(gate, "");
      await untilPasses(async () => assert.equal((await controller.logs(1))[0], "again"));
      assert.ok((await controller.status()).running);
      await controller.stop();
    } finally {
      await new Deno.Command("umount", { args: ["-l", dir] }).output();
    }
  },
});
