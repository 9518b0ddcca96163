import assert from "node:assert/strict";
import { localExecutor } from "../../src/executor/local.ts";
import { needs } from "../helpers/require.ts";
import { Bench, fill, run } from "./support.ts";

Deno.test({
  name: "deploy(): a full disk leaves the old version running",
  ignore: needs("tmpfs"),
  async fn() {
    await using bench = new Bench();
    const root = `${bench.dir}/root-full`;
    Deno.mkdirSync(root);
    const mount = (...args: string[]) => new Deno.Command("mount", { args }).outputSync().success;
    assert(mount("-t", "tmpfs", "-o", "size=3m", "tmpfs", root));
    try {
      const target = bench.target("here", { installRoot: root });
      const one = await bench.makePackage();
      assert.equal((await run(bench.plan(one, { hosts: [target] }))).host.outcome, "ok");
      const noise = crypto.getRandomValues(new Uint8Array(60_000));
      const hex = [...noise].map((b) => b.toString(16).padStart(2, "0")).join("");
      const big = Object.fromEntries(
        Array.from({ length: 20 }, (_, i) => [`bin/noise-${i}.txt`, `${i}${hex}`]),
      );
      const many = await bench.makePackage({ version: "1.1.0", files: big });
      // Preflight sees it coming…
      const seen = await run(bench.plan(many, { hosts: [target] }));
      assert.equal(seen.host.step, "preflight");
      assert.match(seen.host.error?.message ?? "", /free and about/);
      // …and where the disk fills up later, the step that meets it says so.
      const two = await bench.makePackage({ version: "1.2.0", files: { "bin/noise.txt": hex } });
      for (const step of ["preflight", "verify", "extract"]) {
        const filler = `${root}/filler`;
        const { host } = await run(bench.plan(two, { hosts: [target] }), {
          onEvent: (event) => {
            if (event.step === step && event.status === "done") fill(filler);
          },
        });
        assert.equal(host.outcome, "failed", step);
        assert.equal(host.error?.details?.["reason"], "disk_full", JSON.stringify(host.error));
        assert.deepEqual(bench.running("web", root), ["1.0.0"]);
        bench.assertClean("web", root);
        Deno.removeSync(filler);
      }
      assert.deepEqual(bench.running("web", root), ["1.0.0"]);
      bench.assertClean("web", root);
      assert.equal(bench.state("web", root).active, "1.0.0");
    } finally {
      await using executor = localExecutor();
      const { createController } = await import("../../src/lifecycle/controller.ts");
      for (const { spec } of bench.state("web", root).releases) {
        if (spec !== null) await createController(executor, spec, { systemd: false }).stop();
      }
      new Deno.Command("umount", { args: ["-l", root] }).outputSync();
    }
  },
});
