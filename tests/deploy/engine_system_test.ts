/** Hosts that lack what a package runs in: systemd, docker. Nothing of the test's own machine decides what is seen. */
import assert from "node:assert/strict";
import { needs } from "../helpers/require.ts";
import { Bench, run } from "./support.ts";
import { CONTAINER, host } from "./engine_fixture.ts";

Deno.test("preflight: does not wait for children of Docker", {
  ignore: needs("busybox"),
}, async () => {
  await using bench = new Bench();
  const pidFile = `${bench.dir}/child`;
  const target = host(bench, {
    // BusyBox's ends only the program itself, which then has been ended by a signal.
    timeout: 'exec busybox timeout "$@"',
    docker: `sleep 60 &\necho $! > ${pidFile}\nwait`,
  }, { script: (text) => text.replaceAll("timeout 8 docker", "timeout 1 docker") });
  const source = await bench.makePackage(CONTAINER);
  const { host: seen } = await run(bench.plan(source, { hosts: [target] }));
  // Fails when it has ended by itself: then it was waited for.
  Deno.kill(Number(Deno.readTextFileSync(pidFile)), "SIGKILL");
  assert.deepEqual([seen.outcome, seen.step], ["failed", "preflight"], JSON.stringify(seen));
  assert.match(seen.error?.message ?? "", /Docker did not respond within 8 s/);
  bench.assertClean();
});
