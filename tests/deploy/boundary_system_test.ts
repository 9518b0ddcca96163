/** Root works only below directories that nobody else can change, in every shell that a host may have. */
import assert from "node:assert/strict";
import { boundaryError } from "../../src/deploy/host/lock/boundary.ts";
import { hostLayout } from "../../src/deploy/host/layout.ts";
import { acquireCommand } from "../../src/deploy/host/lock/commands.ts";
import { needs } from "../helpers/require.ts";
import { Bench, run } from "./support.ts";

const NOBODY = 65534;

/** What is done to the tree below the bench's directory, and the path that the refusal must name (below it). */
const WEAK: Record<string, { make: (dir: string) => void; names: string | null }> = {
  "a root of root's": { make: () => {}, names: null },
  "a sticky directory that everybody can write": {
    make: (dir) => Deno.chmodSync(dir, 0o1777),
    names: null,
  },
  "a directory that everybody can write": {
    make: (dir) => Deno.chmodSync(dir, 0o777),
    names: "",
  },
  "a directory that a group can write": {
    make: (dir) => {
      Deno.chownSync(`${dir}/opt`, 0, NOBODY);
      Deno.chmodSync(`${dir}/opt`, 0o775);
    },
    names: "/opt",
  },
  "an install root of a user's": {
    make: (dir) => Deno.chownSync(`${dir}/opt`, NOBODY, NOBODY),
    names: "/opt",
  },
  "a directory of a user's above it": {
    make: (dir) => Deno.chownSync(dir, NOBODY, NOBODY),
    names: "",
  },
  "a link of a user's in a sticky directory": {
    make: (dir) => {
      Deno.renameSync(`${dir}/opt`, `${dir}/real`);
      Deno.symlinkSync(`${dir}/real`, `${dir}/opt`);
      lchown(`${dir}/opt`);
      Deno.chmodSync(dir, 0o1777);
    },
    names: "/opt",
  },
  "a link of root's into a user's directory": {
    make: (dir) => {
      Deno.mkdirSync(`${dir}/home/x`, { recursive: true });
      Deno.removeSync(`${dir}/opt`);
      Deno.symlinkSync("home/../home/x", `${dir}/opt`);
      Deno.chownSync(`${dir}/home`, NOBODY, NOBODY);
    },
    names: "/home",
  },
  "a link of root's to a directory of root's": {
    make: (dir) => {
      Deno.renameSync(`${dir}/opt`, `${dir}/real`);
      Deno.symlinkSync("real", `${dir}/opt`);
    },
    names: null,
  },
  "a cache of a user's": {
    make: (dir) => {
      Deno.mkdirSync(`${dir}/opt/.harness/cache`, { recursive: true });
      Deno.chownSync(`${dir}/opt/.harness/cache`, NOBODY, NOBODY);
    },
    names: "/opt/.harness/cache",
  },
  "an env file of a user's in a directory given to root": {
    make: (dir) => {
      Deno.mkdirSync(`${dir}/opt/.harness/web/envs`, { recursive: true });
      Deno.writeTextFileSync(`${dir}/opt/.harness/web/envs/1.env`, "");
      Deno.chownSync(`${dir}/opt/.harness/web/envs/1.env`, NOBODY, NOBODY);
    },
    names: "/opt/.harness/web/envs/1.env",
  },
  "data and logs of the service's user": {
    make: (dir) => {
      for (const name of ["shared", "log"]) {
        Deno.mkdirSync(`${dir}/opt/.harness/web/${name}`, { recursive: true });
        Deno.chownSync(`${dir}/opt/.harness/web/${name}`, NOBODY, NOBODY);
      }
    },
    names: null,
  },
};

function lchown(path: string): void {
  new Deno.Command("chown", { args: ["-h", "nobody", path] }).outputSync();
}

/** The shells of hosts; those that are not here are left out. */
const SHELLS = [["dash"], ["bash"], ["mksh"], ["busybox", "ash"]].filter(([program = ""]) =>
  new Deno.Command("sh", { args: ["-c", `command -v ${program}`] }).outputSync().success
);

for (const shell of SHELLS) {
  Deno.test({
    name: `boundary: root refuses weak paths in ${shell.at(-1)}`,
    ignore: needs("root"),
    async fn() {
      for (const [what, { make, names }] of Object.entries(WEAK)) {
        await using bench = new Bench();
        make(bench.dir);
        const place = { layout: hostLayout(bench.root, "web"), token: "d-1.x" };
        const command = acquireCommand(
          place,
          { ttlSeconds: 5, deploymentId: "d-1", since: "now", owner: "test" },
          {
            releaseDir: "",
            sha256: "",
            user: "",
            commands: [],
            libraries: [],
            serviceType: "",
          },
        );
        assert("script" in command);
        const [program = "", ...args] = shell;
        const { stdout } = await new Deno.Command(program, {
          args: [...args, "-c", command.script, "sh", ...command.args ?? []],
        }).output();
        const text = new TextDecoder().decode(stdout);
        const error = boundaryError(text, { service: "web", host: "here", sudo: true });
        const expected = names === null ? undefined : `${bench.dir}${names}`;
        assert.equal(error?.details?.["path"], expected, `${what}: ${text}`);
        // Nothing was written before the refusal, and the lock is taken where there is none.
        const lock = `${bench.base()}/lock`;
        const locked = await Deno.stat(lock).then(() => true, () => false);
        assert.equal(locked, names === null, what);
        if (locked) await Deno.remove(lock);
      }
    },
  });
}

Deno.test({
  name: "boundary: a refusal changes nothing",
  ignore: needs("root"),
  async fn() {
    await using bench = new Bench();
    Deno.chownSync(bench.root, NOBODY, NOBODY);
    const { host } = await run(bench.plan(await bench.makePackage()));
    assert.equal(host.outcome, "failed");
    assert.equal(host.step, "lock");
    assert.equal(host.error?.details?.["reason"], "owner");
    assert.match(host.error?.message ?? "", /root must not work in .*it belongs to nobody/);
    assert.equal(host.error?.details?.["rollback_error"], undefined);
    assert.deepEqual([...Deno.readDirSync(bench.root)], []);
  },
});
