/**
 * Whose process runs under the name of a service: read from records and from what a process itself carries.
 */
import assert from "node:assert/strict";
import { ProcessController } from "../../src/lifecycle/drivers/process/controller.ts";
import type { ProcessSpec } from "../../src/lifecycle/drivers/process/commands.ts";
import type { ServiceSpec } from "../../src/lifecycle/service_spec.ts";
import { Bench, run } from "../deploy/support.ts";
import { needs } from "../helpers/require.ts";
import { type MachineKind, Place } from "../lifecycle/fixture.ts";

/** The controller of a service on a machine. */
export function controllerOf(
  machine: { executor: ConstructorParameters<typeof ProcessController>[0] },
  spec: ServiceSpec,
): ProcessController {
  assert(spec.execution.type === "managed_process");
  return new ProcessController(machine.executor, spec as ProcessSpec);
}

/** What occupant() finds on every kind of machine. */
export function testOccupant({ name: where, component, open }: MachineKind): void {
  Deno.test({
    name: `occupant(): this and other releases, ${where}`,
    ignore: component !== null && needs(component),
    async fn() {
      await using bench = new Bench();
      await using place = new Place();
      await using machine = await open(place);
      // A name that is another one as part of a path.
      const source = await bench.makePackage({ name: "web.x" });
      const other = `${bench.dir}/other`;
      Deno.mkdirSync(other);
      const target = bench.target("there", { installRoot: other });
      const { host } = await run(bench.plan(source, { hosts: [target] }));
      const there = host.service;
      assert(there !== undefined && there !== null, JSON.stringify(host));
      const mine = controllerOf(machine, {
        ...there.spec,
        workDir: `${bench.root}/web_x-1.0.0`,
        runDir: `${bench.root}/.harness/web_x/run/1.0.0`,
      });
      assert.equal(await mine.occupant(), null, "below another root it is another service");
      const its = controllerOf(machine, there.spec);
      const status = await its.status();
      assert.equal(status.identity?.releaseDir, `${other}/web_x-1.0.0`);
      assert.match(status.identity?.runId ?? "", /^[0-9a-f-]{36}$/);
      const next = controllerOf(machine, {
        ...there.spec,
        workDir: `${other}/web_x-2.0.0`,
        runDir: there.spec.runDir.replace("1.0.0", "2.0.0"),
      });
      assert.deepEqual(await next.occupant(), {
        kind: "process",
        name: String(there.status.pid),
        ours: true,
        identity: { ...there.status.identity },
        running: true,
        detail: `running, pid ${there.status.pid}, from ${other}/web_x-1.0.0`,
      });
      assert.deepEqual((await next.occupant())?.identity, status.identity);
      // Lost bookkeeping: what runs still says whose it is.
      const pidFile = `${there.spec.runDir}/web_x.pid`;
      Deno.renameSync(pidFile, `${pidFile}.lost`);
      assert.deepEqual((await next.occupant())?.identity, status.identity);
      Deno.renameSync(`${pidFile}.lost`, pidFile);
      await its.stop();
      assert.equal(await its.occupant(), null);
      assert.equal(await mine.occupant(), null);
    },
  });
}
