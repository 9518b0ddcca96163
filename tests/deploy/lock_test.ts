import assert from "node:assert/strict";
import { Bench, run } from "./support.ts";
import { lock, watchdogs } from "./lock_fixture.ts";
import { eventually } from "../helpers/raw_client.ts";

/** Kills the watchdog of the one lock of `bench`, which comes up behind the command that takes the lock. */
async function killGuardian(bench: Bench): Promise<void> {
  await eventually(() => watchdogs(bench).length === 1, "there is a watchdog");
  for (const pid of watchdogs(bench)) Deno.kill(pid, "SIGKILL");
}

Deno.test("lock: taken by one, refused to the other, released", async () => {
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
  await eventually(() => watchdogs(bench).length === 0, "the watchdogs end");
});

Deno.test("lock: of many at once exactly one gets it", async () => {
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

Deno.test("lock: a stale one is taken over by exactly one", async () => {
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

Deno.test("lock: one that expires later than it can live is stale", async () => {
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

Deno.test("watchdog: frees a lock that is not renewed", async () => {
  await using bench = new Bench();
  await lock(bench, "gone", "acquire", 2);
  await eventually(() => bench.leftovers().length === 0, "the watchdog frees it");
  Deno.writeTextFileSync(`${bench.base()}/lock`, "garbage without a separator\n");
  assert.match(await lock(bench, "next", "acquire"), /@stale/);
  await lock(bench, "next", "release");
});

Deno.test("lock: a mutex of a killed holder does not block", async () => {
  await using bench = new Bench();
  await lock(bench, "one", "acquire");
  const dead = new Deno.Command("true").spawn();
  await dead.status;
  const boot = Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim();
  Deno.symlinkSync(`${dead.pid}:${boot}`, `${bench.base()}/lock.mutex`);
  assert.match(await lock(bench, "one", "release"), /@released/);
  assert.deepEqual(bench.leftovers(), []);
});

Deno.test("lock: of two at once the other is told the holder", async () => {
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

Deno.test("lockOwner(): asks for no permission", async () => {
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
