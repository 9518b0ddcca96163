/** The record of releases on a host: what counts as one, and which releases and packages are kept. */
import assert from "node:assert/strict";
import type { Executor } from "../../src/executor/executor.ts";
import { localExecutor } from "../../src/executor/local.ts";
import { Bench, run } from "./support.ts";

for (const text of ["", " \n", "{garbage"]) {
  Deno.test(`lock: refuses the record ${JSON.stringify(text)}`, async () => {
    await using bench = new Bench();
    await run(bench.plan(await bench.makePackage()));
    const path = `${bench.base()}/state.json`;
    const whole = Deno.readTextFileSync(path);
    Deno.writeTextFileSync(path, text);
    const { host } = await run(bench.plan(await bench.makePackage({ version: "1.1.0" })));
    assert.deepEqual([host.outcome, host.step], ["failed", "lock"], JSON.stringify(host));
    assert.equal(host.error?.details?.["reason"], "bad_state");
    assert.match(host.error?.message ?? "", /it is not JSON; move it away/);
    assert.equal(Deno.readTextFileSync(path), text);
    assert.deepEqual(bench.running(), ["1.0.0"]);
    bench.assertClean();
    Deno.writeTextFileSync(path, whole);
  });
}

const SICK = "#!/bin/sh\nexit 3\n";

function names(dir: string): string[] {
  return [...Deno.readDirSync(dir)].map((e) => e.name).sort();
}

Deno.test("prune: keeps the two newest bad releases", async () => {
  await using bench = new Bench();
  const good = await bench.makePackage();
  await run(bench.plan(good));
  const cached = [good.sha256];
  for (const version of ["1.1.0", "1.2.0", "1.3.0", "1.4.0"]) {
    const bad = await bench.makePackage({ version, start: SICK });
    const { host } = await run(bench.plan(bad));
    assert.equal(host.outcome, "rolled_back", JSON.stringify(host));
    cached.push(bad.sha256);
  }
  const state = bench.state();
  assert.deepEqual(state.releases.map((r) => [r.id, r.status]), [
    ["1.0.0", "good"],
    ["1.3.0", "bad"],
    ["1.4.0", "bad"],
  ]);
  assert.deepEqual(names(bench.root), [".harness", "web-1.0.0", "web-1.3.0", "web-1.4.0"]);
  const [first, , , third, fourth] = cached;
  assert.deepEqual(names(`${bench.root}/.harness/cache`), [first, third, fourth].sort());
  assert.deepEqual(names(`${bench.base()}/envs`), [state.releases[0]?.env]);
  assert.equal(state.active, "1.0.0");
  assert.deepEqual(bench.running(), ["1.0.0"]);
  bench.assertClean();
});

Deno.test("prune: a failure to remove does not change the outcome", async () => {
  await using bench = new Bench();
  await run(bench.plan(await bench.makePackage()));
  const local = localExecutor();
  let refused = 0;
  const executor: Executor = {
    host: local.host,
    run(command, options) {
      if (!("name" in command) || command.name !== "deploy/prune") {
        return local.run(command, options);
      }
      refused++;
      return local.run({ argv: ["false"] });
    },
    [Symbol.asyncDispose]: () => local[Symbol.asyncDispose](),
  };
  const target = bench.target("here", { connect: () => Promise.resolve(executor) });
  const bad = await bench.makePackage({ version: "1.1.0", start: SICK });
  const { host } = await run(bench.plan(bad, { hosts: [target] }));
  assert.equal(refused, 1);
  assert.deepEqual([host.outcome, host.step, host.versionAfter], ["rolled_back", "start", "1.0.0"]);
  assert.equal(host.error?.details?.["exit_code"], 3);
  assert.equal(host.error?.details?.["rollback_error"], undefined);
  assert.deepEqual(bench.running(), ["1.0.0"]);
  bench.assertClean();
});
