import assert from "node:assert/strict";
import { PERMISSIONS } from "../../.ci/compile.ts";
import { acquireOwnerLock } from "../../src/storage/state_dir/owner_lock.ts";
import { refusal } from "../helpers/rejects.ts";
import { withTempDir } from "./recording.ts";

const MODULE = new URL("../../src/storage/state_dir/owner_lock.ts", import.meta.url).href;

const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

/** A process that holds the lock until it is killed. */
async function holder(dir: string, flock: boolean): Promise<Deno.ChildProcess> {
  const code = `import { acquireOwnerLock } from ${JSON.stringify(MODULE)};
    await acquireOwnerLock(${JSON.stringify(dir)}, { flock: ${flock} });
    console.log("held"); setInterval(() => {}, 1000);`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", "--config", CONFIG, code],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  assert.equal(new TextDecoder().decode(value).trim(), "held");
  await reader.cancel();
  return child;
}

for (const [held, wanted] of [[true, false], [false, true]] as const) {
  Deno.test(`acquireOwnerLock: flock ${held}, then ${wanted}`, async () => {
    await withTempDir(async (dir) => {
      const child = await holder(dir, held);
      try {
        const error = await refusal("conflict", () => acquireOwnerLock(dir, { flock: wanted }));
        assert.equal(error.details?.pid, child.pid);
      } finally {
        child.kill("SIGKILL");
        await child.status;
      }
      await (await acquireOwnerLock(dir, { flock: wanted })).release();
      await (await acquireOwnerLock(dir, { flock: held })).release();
      await (await acquireOwnerLock(dir, { flock: wanted })).release();
    });
  });
}

Deno.test("acquireOwnerLock: a pid file, with narrow permissions", async () => {
  await withTempDir(async (dir) => {
    const code = `import { acquireOwnerLock } from ${JSON.stringify(MODULE)};
      await acquireOwnerLock(${JSON.stringify(dir)}).then(
        () => console.log("taken"), ({ code, details }) => console.log(code, details.pid));`;
    const file = `${dir}/take.ts`;
    await Deno.writeTextFile(file, code);
    const take = async () => {
      const { stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--no-check", "--config", CONFIG, ...PERMISSIONS, file],
        stderr: "inherit",
      }).output();
      return new TextDecoder().decode(stdout).trim();
    };
    const child = await holder(dir, false);
    try {
      assert.equal(await take(), `conflict ${child.pid}`);
    } finally {
      child.kill("SIGKILL");
      await child.status;
    }
    assert.equal(await take(), "taken");
  });
});

for (const flock of [true, false]) {
  const kind = flock ? "the kernel's lock" : "a pid file";

  Deno.test(`acquireOwnerLock: ${kind} held until its process is killed`, async () => {
    await withTempDir(async (dir) => {
      const child = await holder(dir, flock);
      try {
        const error = await refusal("conflict", () => acquireOwnerLock(dir, { flock }));
        assert.equal(error.details?.pid, child.pid);
      } finally {
        child.kill("SIGKILL");
        await child.status;
      }
      const lock = await acquireOwnerLock(dir, { flock });
      const error = await refusal("conflict", () => acquireOwnerLock(dir, { flock }));
      assert.equal(error.details?.pid, Deno.pid, "also within one process");
      await lock.release();
      await lock.release();
      await (await acquireOwnerLock(dir, { flock })).release();
    });
  });

  Deno.test(`acquireOwnerLock: ${kind}: one of many wins`, async () => {
    await withTempDir(async (dir) => {
      await Deno.writeTextFile(`${dir}/registry.lock`, "999999999 1\n");
      const takers = Array.from({ length: 20 }, () => acquireOwnerLock(dir, { flock }));
      const won = (await Promise.allSettled(takers)).flatMap((r) =>
        r.status === "fulfilled" ? [r.value] : []
      );
      assert.equal(won.length, 1);
      await won[0]?.release();
      const left = [...Deno.readDirSync(dir)].map((e) => e.name);
      assert.ok(left.every((name) => name === "registry.lock"), left.join());
    });
  });
}
