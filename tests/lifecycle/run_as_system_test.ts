/** How a service's programs are executed: signals that they inherit, and variables that a shell or the loader acts on. */
import assert from "node:assert/strict";
import { formatEnvFile } from "../../src/lifecycle/env_file.ts";
import { checkHealth } from "../../src/lifecycle/health/check.ts";
import { localExecutor } from "../../src/executor/local.ts";
import { health, Place } from "./fixture.ts";
import { testKeptVariables } from "./run_as_cases.ts";

for (const shell of ["dash", "bash", "ksh", "busybox"]) testKeptVariables(shell);

function hasShell(name: string): boolean {
  return new Deno.Command("sh", { args: ["-c", `command -v ${name}`] }).outputSync().success;
}

Deno.test({
  name: "run as: B3, a container's probe gets no loader variables",
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
