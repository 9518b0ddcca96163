import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import { Place, processController, UNTIL_ITS_END } from "./fixture.ts";
import { needs } from "../helpers/require.ts";
import type { MachineKind } from "./fixture.ts";

/** A start that fails after a line without an end. */
export function testLongLine({ name: where, component, open }: MachineKind): void {
  Deno.test({
    name: `start: an endless log line keeps the reason, ${where}`,
    ignore: component !== null && needs(component),
    async fn() {
      await using place = new Place();
      await using machine = await open(place);
      const text = "head -c 3000000 /dev/zero | tr '\\000' x; printf '\\nlast words\\n'; exit 3";
      const controller = processController(machine, place.shell("svc", text), UNTIL_ITS_END);
      await assert.rejects(controller.start(), (error) => {
        assert.ok(error instanceof HarnessError);
        const { exit_code, log } = error.details as { exit_code: number; log: string[] };
        assert.deepEqual([exit_code, log.at(-1)], [3, "last words"], error.message.slice(0, 300));
        return true;
      });
    },
  });
}
