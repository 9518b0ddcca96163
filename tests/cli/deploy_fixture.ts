import assert from "node:assert/strict";
import { runHere } from "../helpers/cli.ts";
import { removeTree } from "../helpers/remove_tree.ts";

/** Packages `svc` 1.0.0 (good), 2.0.0 (good), 3.0.0 (does not start), 4.0.0 (never becomes healthy). */
export interface Fixture extends AsyncDisposable {
  dir: string;
  root: string;
  file(version: string): string;
}

export const START = `#!/bin/sh
echo "started $HARNESS_VERSION"
case $HARNESS_VERSION in 3.*) echo "no such config" >&2; exit 7;; esac
exec sleep 1000
`;

export const HEALTH = `#!/bin/sh
case $HARNESS_VERSION in 4.*) echo "not yet"; exit 2;; esac
echo fine
`;

export async function fixture(): Promise<Fixture> {
  const dir = await Deno.makeTempDir({ prefix: "harness-deploy-cli-" });
  const root = `${dir}/opt`;
  const file = (version: string) => `${dir}/svc-${version}.tar.gz`;
  await Deno.mkdir(root);
  const init = await runHere(["package", "init", `${dir}/svc`]);
  assert.equal(init.code, 0, init.stderr);
  const manifest = await Deno.readTextFile(`${dir}/svc/manifest.yaml`);
  await Deno.writeTextFile(
    `${dir}/svc/manifest.yaml`,
    manifest.replace("interval: 10s", "interval: 500ms").replace(
      "start_period: 5s",
      "start_period: 60s",
    )
      .replace("retries: 3", "retries: 1"),
  );
  await Deno.writeTextFile(`${dir}/svc/scripts/start.sh`, START);
  await Deno.writeTextFile(`${dir}/svc/scripts/health.sh`, HEALTH);
  for (const version of ["1.0.0", "2.0.0", "3.0.0", "4.0.0"]) {
    const args = ["package", "build", `${dir}/svc`, "--version", version, "--out", dir];
    const built = await runHere(args);
    assert.equal(built.code, 0, built.stderr);
    assert.match(built.stdout, new RegExp(`^[0-9a-f]{64} {2}${file(version)}\n$`));
  }
  const dispose = async () => {
    await stopBelow(dir);
    await removeTree(dir);
  };
  return { dir, root, file, [Symbol.asyncDispose]: dispose };
}

export function lines(text: string): Array<Record<string, unknown>> {
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}

/** Ends the services that run below `dir`, where `/proc` tells. */
async function stopBelow(dir: string): Promise<void> {
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const environ = await Deno.readTextFile(`/proc/${name}/environ`).catch(() => "");
    if (!environ.includes("HARNESS_RUN=") || !environ.includes(dir)) continue;
    try {
      Deno.kill(Number(name), "SIGKILL");
    } catch {
      // It has ended in this moment.
    }
  }
}
