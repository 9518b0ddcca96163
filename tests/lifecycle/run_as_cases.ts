/** How a service's programs are executed: signals that they inherit, and variables that a shell or the loader acts on. */
import assert from "node:assert/strict";
import { symlinkSync } from "node:fs";
import { formatEnvFile } from "../../src/lifecycle/env_file.ts";
import { AS_SERVICE } from "../../src/lifecycle/drivers/shell/library.ts";
import { PROCESS_LIBRARY } from "../../src/lifecycle/drivers/shell/library.ts";
import { localExecutor } from "../../src/executor/local.ts";
import { Place } from "./fixture.ts";

/** Variables that a shell keeps for itself reach the service as they are, or not at all. */
export function testKeptVariables(shell: string): void {
  const found = new Deno.Command("sh", { args: ["-c", `command -v ${shell}`] }).outputSync();
  Deno.test({
    name: `run as: variables that a shell keeps for itself, ${shell}`,
    ignore: !found.success,
    async fn() {
      await using place = new Place();
      await using executor = localExecutor();
      symlinkSync(new TextDecoder().decode(found.stdout).trim(), place.path("sh"));
      const env = { A: "one\nLD_X='2'", EUID: "5", LD_X: "x", PPID: "7", UID: "6", Z: "last" };
      await Deno.writeTextFile(place.path("env"), formatEnvFile(env));
      for (const plain of ["", "yes"]) {
        const result = await executor.run({
          script: `${PROCESS_LIBRARY}
h_as= h_dir=$1 h_env=$2 h_plain=$3; shift 3
h_login
${AS_SERVICE.replaceAll("/bin/sh", place.path("sh"))}
exec "$@" 7<<RUN 8<"$h_env"
run
RUN
`,
          args: [place.dir, place.path("env"), plain, "/usr/bin/env"],
        });
        assert.equal(result.exitCode, 0, result.stderr);
        const lines = result.stdout.split("\n");
        for (const line of ["A=one", "Z=last", "HARNESS_RUN=run"]) {
          assert.ok(lines.includes(line), `${line} in ${result.stdout}`);
        }
        assert.equal(lines.includes("LD_X=x"), plain === "", result.stdout);
      }
    },
  });
}
