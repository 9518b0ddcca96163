import assert from "node:assert/strict";
import { isAlive, LOCAL, Place, processController } from "./fixture.ts";
import { LOOP, testProcess } from "./process_cases.ts";

testProcess(LOCAL);

Deno.test("ProcessController: a reused pid is not its service", async () => {
  await using place = new Place();
  await using machine = await LOCAL.open(place);
  const controller = processController(machine, place.shell("old", LOOP));
  await controller.start();
  await controller.stop();
  // A stranger's pid in the pid file, with another start time, and once with another boot.
  const stranger = new Deno.Command("sleep", { args: ["60"], cwd: place.dir }).spawn();
  const stat = await Deno.readTextFile(`/proc/${stranger.pid}/stat`);
  const start = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  const boot = (await Deno.readTextFile("/proc/sys/kernel/random/boot_id")).trim();
  const write = (start: string, boot: string) =>
    Deno.writeTextFile(
      place.path("run/old.pid"),
      `${stranger.pid}\nstart=${start}\nboot=${boot}\nrun=x\nmode=foreground\nsid=${stranger.pid}\ngroup=${stranger.pid}\n`,
    );
  await write("1", boot);
  assert.equal((await controller.status()).running, false);
  assert.equal((await controller.stop()).running, false);
  await write(start ?? "", "another-boot");
  assert.match((await controller.status()).detail, /rebooted since/);
  await controller.stop();
  const { pid } = await controller.start();
  assert.notEqual(pid, stranger.pid);
  assert.ok(await isAlive(stranger.pid), "the stranger was left alone");
  await controller.stop();
  stranger.kill("SIGKILL");
  await stranger.status;
});
