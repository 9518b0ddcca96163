import assert from "node:assert/strict";
import { formatEnvFile } from "../../src/lifecycle/env_file.ts";
import { needs } from "../helpers/require.ts";
import { LOCAL, type Machine, Place, processController, REMOTES } from "./fixture.ts";
import { failure, LOOP, testProcess } from "./process_cases.ts";

for (const kind of REMOTES) testProcess(kind);

Deno.test({
  name: "ProcessController: runs as another user",
  ignore: needs("root"),
  async fn() {
    await using place = new Place();
    await using machine = await LOCAL.open(place);
    await Deno.writeTextFile(place.path("env"), formatEnvFile({ TOKEN: "abc" }), { mode: 0o600 });
    const script = `id -un; echo "$TOKEN $HOME"; cat ${place.path("env")}; ${LOOP}`;
    const options = { envFile: place.path("env"), execution: { user: "nobody" } };
    const controller = processController(machine, place.shell("other", script, options));
    await controller.start();
    const log = await controller.logs(10);
    assert.deepEqual(log.slice(0, 2), ["nobody", "abc /nonexistent"]);
    assert.match(log[2] ?? "", /Permission denied/);
    assert.equal((await controller.stop()).running, false);
  },
});

Deno.test({
  name: "ProcessController: works for an ordinary user",
  ignore: needs("root"),
  async fn() {
    await using place = new Place();
    await Deno.chown(place.dir, 65534, 65534);
    await using machine = await LOCAL.open(place);
    const asNobody: Machine = {
      executor: {
        host: "local",
        run: (command, options) =>
          machine.executor.run(
            {
              argv: ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"].concat(
                "argv" in command
                  ? command.argv
                  : ["sh", "-c", command.script, "sh", ...(command.args ?? [])],
              ) as [string, ...string[]],
            },
            options,
          ),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    const controller = processController(asNobody, place.shell("mine", `id -un; ${LOOP}`));
    const { pid } = await controller.start();
    assert.deepEqual(await controller.logs(3), ["nobody"]);
    assert.equal((await Deno.stat(`/proc/${pid}`)).uid, 65534);
    assert.equal((await controller.stop()).running, false);
    const root = processController(
      asNobody,
      place.shell("root", LOOP, { execution: { user: "root" } }),
    );
    assert.match(
      (await failure(root.start())).message,
      /only root can run it as root, and this is nobody/,
    );
  },
});
