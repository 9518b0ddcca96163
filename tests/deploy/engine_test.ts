/** Hosts that lack what a package runs in: systemd, docker. Nothing of the test's own machine decides what is seen. */
import assert from "node:assert/strict";
import type { HostTarget } from "../../src/deploy/plan.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { localExecutor } from "../../src/executor/local.ts";
import { needs } from "../helpers/require.ts";
import { Bench, ends, run } from "./support.ts";

/** This machine, with other programs before its own, and every script and answer as `change` makes it. */
function host(
  bench: Bench,
  programs: Record<string, string>,
  change: { script?: (text: string) => string; answer?: (text: string) => string } = {},
): HostTarget {
  const dir = `${bench.dir}/programs`;
  Deno.mkdirSync(dir);
  for (const [name, text] of Object.entries(programs)) {
    Deno.writeTextFileSync(`${dir}/${name}`, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
  const local = localExecutor();
  const executor: Executor = {
    host: local.host,
    async run(command, options) {
      if (!("script" in command)) return await local.run(command, options);
      const script = (change.script ?? String)(`PATH=${dir}:$PATH\n${command.script}`);
      const result = await local.run({ ...command, script }, options);
      return { ...result, stdout: (change.answer ?? String)(result.stdout) };
    },
    [Symbol.asyncDispose]: () => local[Symbol.asyncDispose](),
  };
  return bench.target("here", { connect: () => Promise.resolve(executor) });
}

const withoutSystemd = (text: string) => text.replaceAll("/run/systemd/system", "/no/such/place");
const UNIT = { yaml: "service: {type: systemd_service, unit: harness-no-such.service}\n" };
const CONTAINER = { yaml: 'service: {type: docker_container, image: "harness-no-such:1"}\n' };

Deno.test("preflight() refuses a unit where no systemd runs, before anything is touched", async () => {
  await using bench = new Bench();
  const target = host(bench, { systemctl: "exit 0" }, { script: withoutSystemd });
  const { host: seen } = await run(bench.plan(await bench.makePackage(UNIT), { hosts: [target] }));
  assert.deepEqual([seen.outcome, seen.step], ["failed", "preflight"], JSON.stringify(seen));
  assert.match(seen.error?.message ?? "", /systemd does not run there; the package is a systemd_/);
  assert.deepEqual([...Deno.readDirSync(bench.root)].map((e) => e.name), [".harness"]);
  bench.assertClean();
});

Deno.test("preflight() refuses a container where docker is missing or does not answer", async () => {
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

Deno.test("deploy() of a first unit has not failed to go back where there is nothing to stop", async () => {
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

Deno.test("preflight() does not wait for what a docker that hangs leaves behind", {
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
