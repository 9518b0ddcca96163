import assert from "node:assert/strict";
import { checkSudo, sudoExecutor } from "../../src/deploy/host/become.ts";
import { localExecutor } from "../../src/executor/local.ts";
import { needs } from "../helpers/require.ts";
import { Bench, run } from "./support.ts";

/** Whether sudo works here without a password. */
async function hasSudo(): Promise<boolean> {
  await using executor = localExecutor();
  const result = await executor.run({ script: "sudo -n true" });
  return result.exitCode === 0;
}

const ignore = needs("root") || !await hasSudo();

Deno.test({
  name: "sudoExecutor(): passes everything through byte for byte",
  ignore,
  async fn() {
    await using machine = sudoExecutor(localExecutor());
    const script = 'printf "%s|" "$@"; printf "%s|" "$MODE" "$(pwd)" "$(id -u)"; cat';
    const args = ["it's", "", "-n", "$HOME", "a\nb"];
    const result = await machine.run({ script, args }, {
      env: { MODE: "x y" },
      cwd: "/usr",
      stdin: new Blob(["from stdin"]).stream(),
    });
    assert.equal(result.stdout, "it's||-n|$HOME|a\nb|x y|/usr|0|from stdin");
    const argv = await machine.run({ argv: ["printf", "%s", "a b"] });
    assert.equal(argv.stdout, "a b");
    assert.equal(machine.host, "local");
    await checkSudo(machine, AbortSignal.timeout(60_000));
  },
});

Deno.test({
  name: "deploy(): all files go through sudo",
  ignore,
  async fn() {
    await using bench = new Bench();
    const hosts = [bench.target("here", { become: "sudo" })];
    const { host } = await run(bench.plan(await bench.makePackage(), { hosts }));
    assert.equal(host.outcome, "ok", JSON.stringify(host.error));
    assert.deepEqual(bench.running(), ["1.0.0"]);
    bench.assertClean();
  },
});
