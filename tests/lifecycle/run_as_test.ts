/** How a service's programs are executed: signals that they inherit, and variables that a shell or the loader acts on. */
import assert from "node:assert/strict";
import { symlinkSync } from "node:fs";
import { formatEnvFile } from "../../src/lifecycle/env_file.ts";
import { checkHealth } from "../../src/lifecycle/health/check.ts";
import { AS_SERVICE } from "../../src/lifecycle/drivers/shell/library.ts";
import { PROCESS_LIBRARY } from "../../src/lifecycle/drivers/shell/library.ts";
import { localExecutor } from "../../src/executor/local.ts";
import { health, localMachine, Place, processController } from "./fixture.ts";

const oldEnv = !new Deno.Command("env", { args: ["--default-signal=INT", "true"] })
  .outputSync().success;

for (const signal of ["INT", "QUIT"] as const) {
  Deno.test({
    name: `stop: ${signal} ends a program that handles no signal`,
    ignore: oldEnv,
    async fn() {
      await using place = new Place();
      await using machine = await localMachine();
      const controller = processController(
        machine,
        place.spec("svc", ["/bin/sleep", "100000"], { stop: { signal, timeoutMs: 60_000 } }),
      );
      await controller.start();
      const { signal: ended, detail } = await controller.stop();
      assert.deepEqual([ended, detail.startsWith("stopped")], [`SIG${signal}`, true], detail);
    },
  });
}

function hasShell(name: string): boolean {
  return new Deno.Command("sh", { args: ["-c", `command -v ${name}`] }).outputSync().success;
}

for (const shell of ["dash", "bash", "ksh", "busybox"]) {
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

Deno.test({
  name: "B3: a container's health script gets no loader variables",
  ignore: !hasShell("bash"),
  async fn() {
    await using place = new Place();
    await using executor = localExecutor();
    const env = {
      BASH_ENV: place.path("bash_env"),
      GCONV_PATH: "/no",
      LD_DEBUG: "libs",
      LD_DEBUG_OUTPUT: place.path("loaded"),
      LD_PRELOAD: "/no/such/canary.so",
      PLAIN: "one\nLD_LIBRARY_PATH='x'\ntwo",
    };
    place.script("bash_env", `: > ${place.path("loaded.bash")}`);
    await Deno.writeTextFile(place.path("env"), formatEnvFile(env), { mode: 0o600 });
    const script = place.script(
      "health.sh",
      '#!/bin/bash\necho "$LD_PRELOAD|$GCONV_PATH|$LD_DEBUG|$PLAIN" | tr "\\n" " "\n',
    );
    const spec = {
      ...place.shell("svc", "true", { envFile: place.path("env") }),
      execution: { type: "docker_container", image: "i", imageTar: null, container: "c" } as const,
      health: health({ type: "script", script }),
    };
    const { message } = await checkHealth(executor, spec);
    assert.equal(message, "|||one LD_LIBRARY_PATH='x' two");
    const names = [...Deno.readDirSync(place.dir)].map((entry) => entry.name);
    assert.deepEqual(names.filter((name) => name.startsWith("loaded")), []);
  },
});
