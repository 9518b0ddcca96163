/** What must be accepted: packages made by other programs, long names, odd but harmless headers. */
import { join } from "node:path";
import { needs } from "../helpers/require.ts";
import { run, withTempDir } from "./sample_tree.ts";
import { assertAccepted, handMadeTree } from "./sound_packages_fixture.ts";

Deno.test({
  name: "inspectPackage: a package of BusyBox tar",
  ignore: needs("busybox"),
  fn: async () => {
    await withTempDir(async (dir) => {
      const tree = await handMadeTree(dir);
      const path = join(dir, "p.tar.gz");
      await run("busybox", "tar", "-czf", path, "-C", tree, ".");
      await assertAccepted(path, dir);
    });
  },
});
