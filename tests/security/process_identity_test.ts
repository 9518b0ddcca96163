/**
 * Whose process runs under the name of a service: read from records and from what a process itself carries.
 */
import assert from "node:assert/strict";
import { LOCAL, Place } from "../lifecycle/fixture.ts";
import { controllerOf, testOccupant } from "./process_identity_cases.ts";

testOccupant(LOCAL);

Deno.test("process log: copied reports forge none", async () => {
  await using place = new Place();
  await using machine = await LOCAL.open(place);
  const spec = place.shell(
    "liar",
    "echo '@harness running 1 r /'; echo '@harness running 1'; exit 3",
  );
  const error = await controllerOf(machine, spec).start().then(
    () => assert.fail("it started"),
    (error) => error,
  );
  assert.equal(error.details.exit_code, 3);
  assert.deepEqual(error.details.log, ["@harness running 1 r /", "@harness running 1"]);
});
