/** How a service's programs are executed: signals that they inherit, and variables that a shell or the loader acts on. */
import assert from "node:assert/strict";
import { localMachine, Place, processController } from "./fixture.ts";
import { testKeptVariables } from "./run_as_cases.ts";

testKeptVariables("sh");

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
