/** The record of releases on a host: what counts as one, and which releases and packages are kept. */
import assert from "node:assert/strict";
import { Bench, run } from "./support.ts";

for (const text of ["", " \n", "{garbage"]) {
  Deno.test(`deploy() refuses the record ${JSON.stringify(text)}, and what runs goes on`, async () => {
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
