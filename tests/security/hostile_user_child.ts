/**
 * Everything that we run on a host for a managed process, against a service whose user is hostile. A program of its own,
 * so that it can be traced from its first line with all that it starts.
 *
 * The argument is JSON: `{machine, secret, dir}`; what was read is printed as JSON.
 */
import assert from "node:assert/strict";
import type { Executor } from "../../src/executor/executor.ts";
import { recoveryScript } from "../../src/deploy/host/recovery.ts";
import { hostLayout } from "../../src/deploy/host/layout.ts";
import { stateText, switching } from "../../src/deploy/host/state.ts";
import { checkHealth } from "../../src/lifecycle/health/check.ts";
import { ProcessController } from "../../src/lifecycle/drivers/process/controller.ts";
import type { ProcessSpec } from "../../src/lifecycle/drivers/process/commands.ts";
import { Bench, run } from "../deploy/support.ts";
import { MACHINES, Place } from "../lifecycle/fixture.ts";
import { PLANT } from "./hostile_user.ts";
import { untilPasses } from "../helpers/raw_client.ts";

const { machine: where, secret } = JSON.parse(Deno.args[0] ?? "");
const found = MACHINES.find(({ name }) => name === where);
assert(found !== undefined);

await using place = new Place();
await using machine = await found.open(place);
await using bench = new Bench();
Deno.chmodSync(bench.dir, 0o755);

// Each deployment closes what it was given; the machine goes on.
const shared: Executor = {
  host: machine.executor.host,
  run: (command, options) => machine.executor.run(command, options),
  [Symbol.asyncDispose]: () => Promise.resolve(),
};
const target = bench.target("there", { connect: () => Promise.resolve(shared) });

const script = (text: string) => `#!/bin/sh\n${text}\n`;
const packageOf = (version: string) =>
  bench.makePackage({
    version,
    yaml: `service: {type: managed_process, user: nobody}
env: {SECRET: "${secret}"}
health: {script: scripts/health.sh, interval: 1s, timeout: 60s, start_period: 60s}
stop: {timeout: 60s}
`,
    start: script(
      `echo "i am $(id -un) $(id -G) of $HARNESS_VERSION"\necho hello > /dev/stdout\n${PLANT}\nwhile :; do sleep 0.2; done`,
    ),
    files: {
      "scripts/stop.sh": script('echo "stopped by $(id -un)"'),
      "scripts/reload.sh": script('echo "reloaded by $(id -un)"'),
      "scripts/health.sh": script('echo "checked by $(id -un)"; cat "$SECRET" 2>/dev/null || true'),
    },
  });

const said: Record<string, unknown> = {};
const deployed = async (version: string) => {
  const { host } = await run(
    bench.plan(await packageOf(version), { hosts: [target], keepReleases: 1 }),
  );
  assert.equal(host.outcome, "ok", JSON.stringify(host));
  assert(host.service !== null && host.service !== undefined);
  assert(host.service.spec.execution.type === "managed_process");
  return host.service.spec as ProcessSpec;
};
const first = await deployed("1.0.0");
const controller = new ProcessController(shared, first);
said.occupant = (await controller.occupant())?.ours;
await untilPasses(async () => assert.equal((await controller.logs(100)).length, 2));
said.logs = await controller.logs(100);
said.run = await controller.logs(100, { lastRun: true });
await controller.reload();
const health = await checkHealth(shared, first);
said.health = [health.status, health.output];
await controller.stop();
await controller.start();
// It says something when it is reloaded, so that there is a line to follow.
const stop = new AbortController();
const lines = controller.follow({ signal: stop.signal })[Symbol.asyncIterator]();
let line: string | null = null;
const next = lines.next().then(({ value }) => line = value);
while (line === null) await controller.reload();
await next;
await lines.return?.();
said.followed = line;
said.after = await controller.logs(100);
// A second and a third deployment stop, start and prune; then one that is put back by its host.
await deployed("2.0.0");
const third = await deployed("3.0.0");
const state = bench.state();
const record = state.releases.find((release) => release.version === "3.0.0");
assert(record !== undefined);
const layout = hostLayout(bench.root, "web");
Deno.writeTextFileSync(
  `${layout.base}/recover.sh`,
  recoveryScript({
    place: { layout, token: "recovery" },
    stop: { spec: third, unit: false },
    back: {
      dir: record.dir,
      envName: record.env ?? "",
      owner: "",
      spec: third,
      unit: false,
      start: true,
    },
    state,
  }),
  { mode: 0o700 },
);
Deno.writeTextFileSync(layout.state, stateText(switching(state, "cut-off", record)));
const last = await deployed("4.0.0");
said.recovery = Deno.readTextFileSync(`${layout.output}/recovery.log`);
await new ProcessController(shared, last).stop();
said.end = await new ProcessController(shared, last).logs(100);
said.base = layout.base;
// Whoever reads the trace stops here: what follows is the test that takes everything away again.
await Deno.lstat(`${layout.base}/the-end`).catch(() => undefined);
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(said)));
