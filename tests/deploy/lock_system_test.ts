import assert from "node:assert/strict";
import { userInfo } from "node:os";
import { Bench, run } from "./support.ts";
import { lock, watchdogs } from "./lock_fixture.ts";
import { eventually } from "../helpers/raw_client.ts";

/** So that the health step lasts as long as a test needs it. */
const NEVER_HEALTHY = {
  yaml: "health: {script: scripts/health.sh, timeout: 30s, retries: 1, start_period: 1h}\n",
  files: { "scripts/health.sh": "#!/bin/sh\nexit 2\n" },
};

Deno.test("lock: names user, machine and process of the holder", async () => {
  await using bench = new Bench();
  const one = await bench.makePackage(NEVER_HEALTHY);
  const two = await bench.makePackage({ version: "2.0.0" });
  const cancel = new AbortController();
  const healthBegins = Promise.withResolvers<void>();
  const holder = run(bench.plan(one), {
    signal: cancel.signal,
    onEvent: (event) => {
      if (event.step === "health") healthBegins.resolve();
    },
  });
  await healthBegins.promise;
  const { host } = await run(bench.plan(two));
  cancel.abort();
  await holder;
  const owner = `${userInfo().username}@${Deno.hostname()} (pid ${Deno.pid})`;
  assert.equal(host.error?.details?.["owner"], owner, JSON.stringify(host.error));
  assert(host.error?.message.includes(` by ${owner} since `), host.error?.message);
});

Deno.test("lock: one that may wait gets it when it is free", async () => {
  await using bench = new Bench();
  const [one, two] = [await bench.makePackage(), await bench.makePackage({ version: "2.0.0" })];
  let waited = false;
  const results = await Promise.all([
    run(bench.plan(one, { lockWaitMs: 60_000 })),
    run(bench.plan(two, { lockWaitMs: 60_000 }), {
      onEvent: (event) => waited ||= event.message?.startsWith("waiting for the lock") ?? false,
    }),
  ]);
  assert.deepEqual(results.map((r) => r.host.outcome), ["ok", "ok"]);
  assert.equal(bench.running().length, 1);
  bench.assertClean();
});

Deno.test("lock: a cancel while waiting leaves the holder alone", async () => {
  await using bench = new Bench();
  await lock(bench, "holder", "acquire");
  const cancel = new AbortController();
  const { host } = await run(bench.plan(await bench.makePackage(), { lockWaitMs: 60_000 }), {
    signal: cancel.signal,
    onEvent: (event) => {
      if (event.message?.startsWith("waiting for the lock")) cancel.abort();
    },
  });
  assert.equal(host.outcome, "cancelled", JSON.stringify(host.error));
  assert.match(await lock(bench, "holder", "renew"), /@renewed/);
  await lock(bench, "holder", "release");
});

Deno.test("recovery: the next deployment undoes a lost switch", async () => {
  await using bench = new Bench();
  await run(bench.plan(await bench.makePackage()));
  const two = await bench.makePackage({ version: "2.0.0", ...NEVER_HEALTHY });
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--quiet",
      new URL("./crash_child.ts", import.meta.url).pathname,
      JSON.stringify({
        deploymentId: "power",
        root: bench.root,
        file: `${bench.dir}/out-2/${two.file}`,
        sha256: two.sha256,
        size: two.size,
        manifest: two.manifest,
        lockTtlMs: 60_000,
        ssh: null,
      }),
    ],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    if (!text.includes("health:started")) continue;
    for (const pid of watchdogs(bench)) Deno.kill(pid, "SIGKILL");
    child.kill("SIGKILL");
  }
  await child.status;
  assert.equal(bench.state().pending?.to.version, "2.0.0");
  const path = `${bench.base()}/lock`;
  Deno.writeTextFileSync(path, Deno.readTextFileSync(path).replace(/\|[^|]*\|/, "|other-boot|"));
  // The script of another version is not what is run: its commands are that version's.
  Deno.writeTextFileSync(`${bench.base()}/recover.sh`, `touch ${bench.dir}/old-script; exit 1\n`);
  const three = await bench.makePackage({ version: "3.0.0" });
  const { events, host } = await run(bench.plan(three));
  assert.equal(host.outcome, "ok", JSON.stringify(host.error));
  assert.equal(host.versionBefore, "1.0.0");
  await assert.rejects(Deno.stat(`${bench.dir}/old-script`), Deno.errors.NotFound);
  const message = events.find((e) => e.step === "lock" && e.status === "done")?.message ?? "";
  assert.match(message, /took over the stale lock of power; undid power/);
  assert.deepEqual(bench.running(), ["3.0.0"]);
  const bad = bench.state().releases.find((r) => r.version === "2.0.0");
  assert.equal(bad?.status, "bad");
  assert.equal(bad?.reason, "power was interrupted");
  bench.assertClean();
});

Deno.test("lock: a deployment that slept too long has lost it", async () => {
  await using bench = new Bench();
  await run(bench.plan(await bench.makePackage()));
  const two = await bench.makePackage({ version: "2.0.0", ...NEVER_HEALTHY });
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--quiet",
      new URL("./crash_child.ts", import.meta.url).pathname,
      JSON.stringify({
        deploymentId: "sleepy",
        root: bench.root,
        file: `${bench.dir}/out-2/${two.file}`,
        sha256: two.sha256,
        size: two.size,
        manifest: two.manifest,
        lockTtlMs: 8000,
        ssh: null,
      }),
    ],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let said = "";
  let slept = false;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    said += text;
    if (slept || !said.includes("health:started")) continue;
    slept = true;
    child.kill("SIGSTOP");
    await eventually(
      () => bench.leftovers().length === 0,
      "the watchdog has put the old version back",
    );
    assert.deepEqual(bench.running(), ["1.0.0"]);
    child.kill("SIGCONT");
  }
  await child.status;
  assert(slept);
  assert.match(
    said,
    /its lock expired and the host has restored itself|the lock is no longer ours/,
  );
  assert.doesNotMatch(said, /rollback:started|commit:done/);
  assert.deepEqual(bench.running(), ["1.0.0"]);
  assert.equal(bench.state().active, "1.0.0");
  bench.assertClean();
});

Deno.test("lock: without it, no command changes anything", async () => {
  await using bench = new Bench();
  await run(bench.plan(await bench.makePackage()));
  const two = await bench.makePackage({ version: "2.0.0" });
  const { host } = await run(bench.plan(two), {
    onEvent: (event) => {
      if (event.step !== "verify" || event.status !== "started") return;
      const path = `${bench.base()}/lock`;
      Deno.writeTextFileSync(path, Deno.readTextFileSync(path).replace(/^[^|]*/, "somebody"));
    },
  });
  assert.equal(host.outcome, "failed");
  assert.equal(host.error?.details?.["reason"], "lost");
  assert.equal(host.versionAfter, null);
  assert.deepEqual(bench.running(), ["1.0.0"]);
  Deno.removeSync(`${bench.base()}/lock`);
});
