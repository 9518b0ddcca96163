/**
 * A host as commit f121a8f left it: a service's log in a directory of its user's, written and rotated by root. It is
 * found, read and stopped, and moved over at its next start. The fixture is the text of that commit's scripts.
 */
import assert from "node:assert/strict";
import { upgradeSpec } from "../../src/lifecycle/upgrade_spec.ts";
import { isAlive, MACHINES, Place, processController } from "../lifecycle/fixture.ts";
import { needs } from "../helpers/require.ts";
import { Secret } from "./hostile_user.ts";
import { untilPasses } from "../helpers/raw_client.ts";

const OLD: { script: string; keeper: string } = JSON.parse(
  Deno.readTextFileSync(new URL("./fixtures/start_f121a8f.json", import.meta.url)),
);

for (const { name: where, component, open } of MACHINES) {
  Deno.test({
    name: `upgrade: a run of f121a8f is adopted, ${where}`,
    ignore: needs("root", ...component === null ? [] : [component]),
    async fn() {
      await using place = new Place();
      await using machine = await open(place);
      const secret = new Secret(place.dir);
      const base = place.path("opt/.harness/svc");
      for (const dir of ["log", "run/1.0.0", "shared"]) {
        Deno.mkdirSync(`${base}/${dir}`, { recursive: true });
      }
      // As its `configure` left them.
      const owned = ["-h", "nobody", `${base}/log`, `${base}/shared`];
      assert.ok((await new Deno.Command("chown", { args: owned }).output()).success);
      await Deno.writeTextFile(place.path("env"), `HARNESS_INSTALL_DIR='${place.dir}'\n`, {
        mode: 0o600,
      });
      const recorded = place.shell("svc", `echo "old $(id -un)"; while :; do sleep 0.2; done`, {
        envFile: place.path("env"),
        runDir: `${base}/run/1.0.0`,
        logDir: `${base}/log`,
        execution: { user: "nobody" },
      });
      assert(recorded.execution.type === "managed_process");
      const started = await machine.executor.run({
        script: OLD.script,
        args: [
          ...[recorded.runDir, "svc", recorded.logDir, "10485760", "5", "foreground", place.dir],
          ...[place.path("env"), "nobody", crypto.randomUUID(), "5", "600", "", OLD.keeper],
          ...recorded.execution.argv,
        ],
      });
      const pid = Number(/@harness running (\d+)/.exec(started.stdout)?.[1]);
      assert.ok(pid > 0, JSON.stringify(started));

      const spec = upgradeSpec(recorded);
      assert.equal(spec.logDir, `${base}/output`);
      const controller = processController(machine, spec);
      const status = await controller.status();
      assert.equal(status.pid, pid);
      assert.equal(status.identity?.releaseDir, place.dir);
      assert.equal((await controller.start()).pid, pid, "it runs already");
      await untilPasses(async () => assert.deepEqual(await controller.logs(5), ["old nobody"]));
      assert.deepEqual(await controller.logs(5, { lastRun: true }), ["old nobody"]);

      // Its user puts something else there: whoever reads is that user, and no reader waits.
      const log = `${base}/log/svc.log`;
      for (
        const plant of [
          () => Deno.symlinkSync(secret.path, log),
          () => new Deno.Command("mkfifo", { args: [log] }).outputSync(),
          () => Deno.mkdirSync(log),
        ]
      ) {
        Deno.removeSync(log, { recursive: true });
        plant();
        assert.deepEqual(await controller.logs(5).catch(() => []), []);
        assert.deepEqual(await controller.logs(5, { lastRun: true }).catch(() => []), []);
      }
      secret.assertUntouched();
      Deno.removeSync(log, { recursive: true });

      assert.equal((await controller.stop()).running, false);
      assert.equal(await isAlive(pid), false);
      const anew = await controller.start();
      assert.notEqual(anew.pid, pid);
      await untilPasses(async () => assert.deepEqual(await controller.logs(5), ["old nobody"]));
      assert.deepEqual(
        [...Deno.readDirSync(`${base}/log`)],
        [],
        "nothing is written there any more",
      );
      assert.equal(await Deno.readTextFile(`${base}/output/svc.log`), "old nobody\n");
      await controller.stop();
    },
  });
}
