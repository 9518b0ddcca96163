import assert from "node:assert/strict";
import { join } from "node:path";
import { HarnessError } from "../../src/errors.ts";
import { buildPackage } from "../../src/package/build.ts";
import { RunningCli } from "../helpers/cli.ts";
import { LineProcess } from "../helpers/lines.ts";
import { needs } from "../helpers/require.ts";
import { run, withTempDir, writeTree } from "./sample_tree.ts";

Deno.test({
  name: "buildPackage: names the file it cannot read or write",
  ignore: needs("tmpfs"),
  async fn() {
    await withTempDir(async (dir) => {
      const noise = crypto.getRandomValues(new Uint8Array(60_000));
      const text = Array.from(noise, (byte) => byte.toString(36)).join("");
      const tree = await writeTree(join(dir, "tree"), { "bin/noise": text });
      const failure = async (outDir: string): Promise<string> => {
        const error = await buildPackage(tree, { outDir }).then(() => null, (error) => error);
        assert(error instanceof HarnessError, String(error));
        assert.equal(error.code, "storage_unavailable", error.message);
        return error.message;
      };
      assert.match(
        await failure(join(tree, "manifest.yaml", "out")),
        /manifest\.yaml.*not a directory/,
      );
      const small = join(dir, "small");
      await Deno.mkdir(small);
      await run("mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", small);
      try {
        assert.match(await failure(small), /small.*: no space left on the device/);
        assert.deepEqual([...Deno.readDirSync(small)], []);
      } finally {
        // Lazily: a child that another test is just starting may have our closed files for a moment more.
        await run("umount", "-l", small);
      }
    });
  },
});

/** Has a lease on a file, as a file server for its clients; gives it up when asked, and told to. */
const LEASE = `
import fcntl, os, signal, sys
file = os.open(sys.argv[1], os.O_RDWR)
def asked(*_):
    print("asked", flush=True)
    if sys.argv[2] == "yield": fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
signal.signal(signal.SIGIO, asked)
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("leased", flush=True)
while True: signal.pause()
`;

Deno.test({
  name: "package build: waits for a lease, and Ctrl-C ends that",
  ignore: needs("python3"),
  async fn() {
    await withTempDir(async (dir) => {
      for (const [size, path] of [[1000, "small"], [1_000_000, "large"]] as const) {
        const tree = await writeTree(join(dir, path), { "data/leased": "x".repeat(size) });
        for (const answer of ["yield", "keep"]) {
          await using holder = new LineProcess("python3", [
            "-c",
            LEASE,
            join(tree, "data/leased"),
            answer,
          ]);
          assert.equal(await holder.line(), "leased");
          await using cli = new RunningCli(["package", "build", tree, "--out", join(dir, answer)]);
          assert.equal(await holder.line(), "asked");
          if (answer === "keep") cli.kill("SIGINT");
          const { code, stderr } = await cli.end(30_000);
          assert.equal(code, answer === "keep" ? 130 : 0, stderr);
          if (answer === "yield") await Deno.remove(join(dir, answer), { recursive: true });
        }
      }
    });
  },
});
