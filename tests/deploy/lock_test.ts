import assert from "node:assert/strict";
import { userInfo } from "node:os";
import { localExecutor } from "../../src/executor/local.ts";
import { hostLayout } from "../../src/deploy/host/layout.ts";
import {
  acquireCommand,
  releaseCommand,
  renewCommand,
} from "../../src/deploy/host/lock/commands.ts";
import { Bench, run, until } from "./support.ts";

/** So that the health step lasts as long as a test needs it. */
const NEVER_HEALTHY = {
  yaml: "health: {script: scripts/health.sh, timeout: 30s, retries: 1, start_period: 1h}\n",
  files: { "scripts/health.sh": "#!/bin/sh\nexit 2\n" },
};

const QUESTIONS = {
  releaseDir: "",
  sha256: "",
  user: "",
  commands: [],
  libraries: [],
  serviceType: "",
};

/** Runs one of the lock's commands on this machine and answers what it printed. */
async function lock(
  bench: Bench,
  token: string,
  what: "acquire" | "renew" | "release",
  ttlSeconds = 60,
): Promise<string> {
  await using executor = localExecutor();
  const place = { layout: hostLayout(bench.root, "web"), token };
  const command = what === "acquire"
    ? acquireCommand(
      place,
      { ttlSeconds, deploymentId: `d-${token}`, since: "2026-01-01T00:00:00.000Z", owner: "a b" },
      QUESTIONS,
    )
    : what === "renew"
    ? renewCommand(place)
    : releaseCommand(place);
  const result = await executor.run(command, { timeoutMs: 60_000 });
  return `${result.stdout}${result.stderr}`;
}

/** The watchdogs that watch over `bench`, by pid. */
function watchdogs(bench: Bench): number[] {
  return [...Deno.readDirSync("/proc")].flatMap((entry) => {
    try {
      const words = Deno.readTextFileSync(`/proc/${entry.name}/cmdline`).split("\0");
      const at = words.indexOf("harness-guardian");
      return at > 0 && words[at + 1] === bench.root ? [Number(entry.name)] : [];
    } catch {
      return [];
    }
  });
}

/** Kills the watchdog of the one lock of `bench`, which comes up behind the command that takes the lock. */
async function killGuardian(bench: Bench): Promise<void> {
  await until("there is a watchdog", () => watchdogs(bench).length === 1);
  for (const pid of watchdogs(bench)) Deno.kill(pid, "SIGKILL");
}

Deno.test("the lock is taken by one, refused to the other with its holder's name, and freed", async () => {
  await using bench = new Bench();
  assert.match(await lock(bench, "one", "release"), /@refused unwritable/, "there is nothing yet");
  assert.match(await lock(bench, "one", "acquire"), /@facts/);
  assert.match(
    await lock(bench, "two", "acquire"),
    /^@held d-one\|\d+\|2026-01-01T00:00:00\.000Z\|a b$/m,
  );
  assert.match(await lock(bench, "two", "renew"), /@refused lost/);
  assert.match(await lock(bench, "two", "release"), /@refused lost/);
  assert.match(await lock(bench, "one", "renew"), /@renewed/);
  assert.match(await lock(bench, "one", "release"), /@released/);
  assert.match(await lock(bench, "two", "acquire"), /@facts/);
  assert.match(await lock(bench, "two", "release"), /@released/);
  await until("the watchdogs end", () => watchdogs(bench).length === 0);
});

Deno.test("of many that want the lock at once exactly one gets it", async () => {
  await using bench = new Bench();
  const all = await Promise.all(
    Array.from({ length: 12 }, (_, i) => lock(bench, `t${i}`, "acquire")),
  );
  assert.equal(all.filter((said) => said.includes("@facts")).length, 1);
  assert.equal(all.filter((said) => said.includes("@held")).length, 11);
  const winner = all.findIndex((said) => said.includes("@facts"));
  await lock(bench, `t${winner}`, "release");
  assert.deepEqual(bench.leftovers(), []);
});

Deno.test("a stale lock is taken over by exactly one of many", async () => {
  await using bench = new Bench();
  await lock(bench, "dead", "acquire", 60);
  await killGuardian(bench);
  // Of another boot: the machine was restarted.
  const path = `${bench.base()}/lock`;
  Deno.writeTextFileSync(path, Deno.readTextFileSync(path).replace(/\|[^|]*\|/, "|other-boot|"));
  const all = await Promise.all(
    Array.from({ length: 12 }, (_, i) => lock(bench, `t${i}`, "acquire")),
  );
  assert.equal(all.filter((said) => said.includes("@facts")).length, 1);
  const winner = all.findIndex((said) => said.includes("@facts"));
  assert.match(all[winner] ?? "", /^@stale d-dead a b$/m);
  await lock(bench, `t${winner}`, "release");
});

Deno.test("a lock whose time lies further ahead than it can live is stale: the clock went back", async () => {
  await using bench = new Bench();
  await lock(bench, "odd", "acquire", 60);
  await killGuardian(bench);
  const path = `${bench.base()}/lock`;
  const fields = Deno.readTextFileSync(path).split("|");
  fields[2] = String(Number(fields[2]) + 100_000);
  Deno.writeTextFileSync(path, fields.join("|"));
  assert.match(await lock(bench, "next", "acquire"), /@stale d-odd/);
  await lock(bench, "next", "release");
});

Deno.test("a lock that nobody renews is freed by its watchdog, whatever file garbage it holds", async () => {
  await using bench = new Bench();
  await lock(bench, "gone", "acquire", 2);
  await until("the watchdog frees it", () => bench.leftovers().length === 0);
  Deno.writeTextFileSync(`${bench.base()}/lock`, "garbage without a separator\n");
  assert.match(await lock(bench, "next", "acquire"), /@stale/);
  await lock(bench, "next", "release");
});

Deno.test("a mutex whose holder was killed does not block", async () => {
  await using bench = new Bench();
  await lock(bench, "one", "acquire");
  const dead = new Deno.Command("true").spawn();
  await dead.status;
  const boot = Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim();
  Deno.symlinkSync(`${dead.pid}:${boot}`, `${bench.base()}/lock.mutex`);
  assert.match(await lock(bench, "one", "release"), /@released/);
  assert.deepEqual(bench.leftovers(), []);
});

Deno.test("of two deployments at once one runs and the other is told who holds the lock", async () => {
  await using bench = new Bench();
  const [one, two] = [await bench.makePackage(), await bench.makePackage({ version: "2.0.0" })];
  const results = await Promise.all([
    run(bench.plan(one, { owner: "alice" })),
    run(bench.plan(two, { owner: "bob" })),
  ]);
  const ok = results.filter((r) => r.host.outcome === "ok");
  const refused = results.filter((r) => r.host.error?.code === "conflict");
  assert.deepEqual([ok.length, refused.length], [1, 1]);
  const details = refused[0]?.host.error?.details ?? {};
  assert.equal(details["reason"], "locked");
  assert.match(String(details["owner"]), /^(alice|bob)$/);
  assert(Number(details["expires_in_seconds"]) <= 20);
  assert.equal(bench.running().length, 1);
  bench.assertClean();
});

Deno.test("who is refused is told user, machine and process of whoever has the lock", async () => {
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

Deno.test("the lock's owner is asked for only as far as permissions go, without a prompt", async () => {
  await using bench = new Bench();
  const module = new URL("../../src/deploy/owner.ts", import.meta.url).href;
  const file = `${bench.dir}/owner.ts`;
  Deno.writeTextFileSync(
    file,
    `import { lockOwner } from "${module}";\nconsole.log(lockOwner());\n`,
  );
  const owner = async (...flags: string[]): Promise<string> => {
    const args = ["run", "--quiet", "--no-check", ...flags, file];
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, stdin: "null" })
      .output();
    assert.equal(new TextDecoder().decode(stderr), "");
    return new TextDecoder().decode(stdout);
  };
  assert.match(await owner(), /^harness \(pid \d+\)\n$/);
  assert.match(await owner("--allow-sys"), /^[^\s@]+@[^\s@]+ \(pid \d+\)\n$/);
});

Deno.test("a deployment that may wait for the lock gets it when it is free", async () => {
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

Deno.test("a deployment that is cancelled while it waits for the lock leaves the holder alone", async () => {
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

Deno.test("a host that lost power in the middle of a switch is set right by the next deployment", async () => {
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

Deno.test("a deployment that slept longer than its lock lives cannot go on: the host has put itself back", async () => {
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
    await until("the watchdog has put the old version back", () => bench.leftovers().length === 0);
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

Deno.test("a deployment whose lock somebody else has changes nothing any more", async () => {
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
