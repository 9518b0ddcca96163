/**
 * A host whose clock is set while deployments are under way: a day back, a day ahead, with every look at it. Locks
 * count the seconds since its boot, and releases are in the order in which they were recorded, so nothing may notice.
 */
import assert from "node:assert/strict";
import type { HostTarget } from "../../src/deploy/plan.ts";
import { needs } from "../helpers/require.ts";
import { startSshd } from "../helpers/sshd.ts";
import { Bench, connectTo, run } from "./support.ts";
import { eventually } from "../helpers/raw_client.ts";

/** In place of `date`: the clock itself belongs to all machines that share a kernel. */
const DATE = `#!/bin/sh
PATH=/usr/bin:/bin
[ "$*" = +%s ] || exec date "$@"
now=$(date +%s)
if rmdir "$0.ahead" 2>/dev/null; then echo $((now - 86400)); else mkdir "$0.ahead"; echo $((now + 86400)); fi
`;

Deno.test({
  name: "lock: a clock that jumps does not matter",
  ignore: needs("sshd"),
  async fn() {
    await using bench = new Bench();
    await Deno.mkdir(`${bench.dir}/bin`);
    await Deno.writeTextFile(`${bench.dir}/bin/date`, DATE, { mode: 0o755 });
    const path = `${bench.dir}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin`;
    await using host = await startSshd({ config: [`SetEnv PATH=${path}`] });
    const target: HostTarget = {
      label: "jumpy",
      installRoot: bench.root,
      connect: connectTo(host),
    };
    const hosts = [target];
    await using shell = await target.connect(AbortSignal.timeout(60_000));
    const look = async () => Number((await shell.run({ argv: ["date", "+%s"] })).stdout);
    const [one, two] = [await look(), await look()];
    assert.equal(Math.round(Math.abs(one - two) / 86_400), 2, "the clock does not jump");

    for (const version of ["2.0.0", "1.0.0"]) {
      const ended = await run(bench.plan(await bench.makePackage({ version }), { hosts }));
      assert.equal(ended.host.outcome, "ok", JSON.stringify(ended.host.error));
    }
    // The host's watchdog looks at the lock every second: by the clock it would long have run out, or never do.
    const slow = await bench.makePackage({
      version: "3.0.0",
      yaml: "health: {script: scripts/health.sh, timeout: 60s, retries: 1, start_period: 60s}\n",
      files: { "scripts/health.sh": "#!/bin/sh\nsleep 100\n" },
    });
    const cancel = new AbortController();
    let healthSince = Infinity;
    const under = run(bench.plan(slow, { hosts }), {
      signal: cancel.signal,
      onEvent: ({ step }) => {
        if (step === "health") healthSince = Math.min(healthSince, performance.now());
      },
    });
    try {
      await eventually(() => performance.now() > healthSince + 3000, "the watchdog has looked");
      const second = await run(
        bench.plan(await bench.makePackage({ version: "4.0.0" }), { hosts }),
      );
      assert.equal(second.host.error?.details?.["reason"], "locked", JSON.stringify(second.host));
    } finally {
      cancel.abort();
    }
    const { host: cancelled } = await under;
    assert.equal(cancelled.outcome, "cancelled", JSON.stringify(cancelled.error));
    assert.equal(bench.state().active, "1.0.0");
    // By the record: 2.0.0 came before 1.0.0, whatever the clock and the numbers say.
    const back = await run(bench.rollback(undefined, { hosts }));
    assert.deepEqual([back.host.outcome, back.host.versionAfter], ["ok", "2.0.0"]);
    bench.assertClean();
  },
});
