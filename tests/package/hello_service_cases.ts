/** The example service: built, unpacked and run by each of the runtimes that it knows. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { buildPackage } from "../../src/package/build.ts";
import { extractPackage } from "../../src/package/archive/extract.ts";
import { freePort } from "../helpers/free_port.ts";
import { withTempDir } from "./sample_tree.ts";

/** The example's directory. */
export const EXAMPLE = new URL("../../examples/hello-service", import.meta.url).pathname;

/** Where a program is. */
export function onPath(name: string): string | null {
  const dirs = (Deno.env.get("PATH") ?? "").split(delimiter).filter((dir) => dir !== "");
  return dirs.map((dir) => join(dir, name)).find((file) => existsSync(file)) ?? null;
}

/** Runs a script of the unpacked package to its end. */
async function script(dir: string, name: string, env: Record<string, string>): Promise<number> {
  const command = new Deno.Command(join(dir, "scripts", name), {
    env,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  });
  return (await command.output()).code;
}

async function getJson(url: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(url, { headers: { connection: "close" } });
  return { status: response.status, body: await response.json() };
}

/** Builds, starts, asks and stops the example in one runtime. */
export function testHelloService(runtime: string, path: string, ignore = false): void {
  Deno.test({
    name: `examples/hello-service: runs and stops on ${runtime}`,
    ignore,
    fn: async () => {
      await withTempDir(async (dir) => {
        const built = await buildPackage(EXAMPLE, { outDir: dir, version: "1.1.0" });
        const release = join(dir, "release");
        await extractPackage(built.path, release);
        const port = freePort();
        const env = {
          HELLO_RUNTIME: path,
          HARNESS_PORT_HTTP: String(port),
          HARNESS_DATA_DIR: join(dir, "data"),
          GREETING: "grüezi",
        };
        await using service = new Deno.Command(join(release, "scripts/start.sh"), {
          env,
          stdin: "null",
          stdout: "null",
          stderr: "inherit",
        }).spawn();
        while (await script(release, "health.sh", env) !== 0) {
          assert.equal(await Promise.race([service.status, Promise.resolve(null)]), null);
        }
        const url = `http://127.0.0.1:${port}`;
        const { status, body } = await getJson(`${url}/`);
        assert.equal(status, 200);
        assert.deepEqual(body, {
          name: "hello-service",
          version: "1.1.0",
          greeting: "grüezi",
          pid: service.pid,
        });
        assert.deepEqual(await getJson(`${url}/healthz`), { status: 200, body: { status: "ok" } });
        assert.equal((await getJson(`${url}/nothing`)).status, 404);

        assert.equal(await script(release, "stop.sh", env), 0);
        assert.equal((await service.status).success, true);
        assert.notEqual(await script(release, "health.sh", env), 0);
        assert.equal(await script(release, "stop.sh", env), 0);
      });
    },
  });
}
