/** Hosts that lack what a package runs in: systemd, docker. Nothing of the test's own machine decides what is seen. */
import assert from "node:assert/strict";
import { Bench, ends, run } from "./support.ts";
import { CONTAINER, host } from "./engine_fixture.ts";

const withoutSystemd = (text: string) => text.replaceAll("/run/systemd/system", "/no/such/place");

const UNIT = { yaml: "service: {type: systemd_service, unit: harness-no-such.service}\n" };

Deno.test("preflight: a unit without systemd is refused", async () => {
  await using bench = new Bench();
  const target = host(bench, { systemctl: "exit 0" }, { script: withoutSystemd });
  const { host: seen } = await run(bench.plan(await bench.makePackage(UNIT), { hosts: [target] }));
  assert.deepEqual([seen.outcome, seen.step], ["failed", "preflight"], JSON.stringify(seen));
  assert.match(seen.error?.message ?? "", /systemd does not run there; the package is a systemd_/);
  assert.deepEqual([...Deno.readDirSync(bench.root)].map((e) => e.name), [".harness"]);
  bench.assertClean();
});

Deno.test("preflight: Docker is missing or does not respond", async () => {
  for (
    const [programs, script, words] of [
      [{}, (t: string) => t.replaceAll("command -v docker", "false"), /does not have docker/],
      [
        { docker: "echo 'is the daemon running?' >&2; exit 1" },
        String,
        /not answer: is the daemon/,
      ],
    ] as const
  ) {
    await using bench = new Bench();
    const target = host(bench, programs, { script });
    const source = await bench.makePackage(CONTAINER);
    const { host: seen } = await run(bench.plan(source, { hosts: [target] }));
    assert.deepEqual([seen.outcome, seen.step], ["failed", "preflight"], JSON.stringify(seen));
    assert.match(seen.error?.message ?? "", words);
    bench.assertClean();
  }
});

Deno.test("rollback: nothing to stop is no failure", async () => {
  await using bench = new Bench();
  const target = host(bench, {
    systemctl: "echo 'System has not been booted with systemd as init system.' >&2; exit 1",
    journalctl: "exit 1",
  }, {
    script: withoutSystemd,
    // As if preflight had not been able to see it.
    answer: (text) => text.replace("engine=systemd does not run there", "engine="),
  });
  const { host: seen, events } = await run(
    bench.plan(await bench.makePackage(UNIT), { hosts: [target] }),
  );
  assert.deepEqual([seen.outcome, seen.step], ["failed", "start"], JSON.stringify(seen));
  assert(ends(events).includes("rollback:done"), ends(events).join());
  assert.equal(bench.state().releases[0]?.status, "bad");
  bench.assertClean();
});
