/** What must be accepted: packages made by other programs, long names, odd but harmless headers. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { extractPackage } from "../../src/package/archive/extract.ts";
import { inspectPackage } from "../../src/package/read.ts";
import { run, writeTree } from "./sample_tree.ts";

export const LONG = `data/${"long-directory-name-".repeat(8)}/${"long-file-name-".repeat(12)}`;

/** A tree with SHA256SUMS made by the programs of any Linux host. */
export async function handMadeTree(dir: string, longNames = true): Promise<string> {
  const files: Record<string, string> = { "bin/app": "\x7fELF", "config/é ü.conf": "x" };
  if (longNames) files[LONG] = "long";
  const tree = await writeTree(join(dir, "tree"), files);
  await Deno.chmod(join(tree, "scripts/start.sh"), 0o755);
  await Deno.symlink("app", join(tree, "bin/current"));
  await run(
    "sh",
    "-c",
    `cd '${tree}' && find . -type f ! -name SHA256SUMS -exec sha256sum {} + > SHA256SUMS`,
  );
  return tree;
}

export async function assertAccepted(path: string, dir: string): Promise<void> {
  const summary = await inspectPackage(path);
  assert.equal(summary.manifest.name, "hello");
  const target = join(dir, "unpacked");
  assert.deepEqual(await extractPackage(path, target), summary);
  const mode = async (name: string) => ((await Deno.stat(join(target, name))).mode ?? 0) & 0o7777;
  assert.equal(await mode(""), 0o755);
  assert.equal(await mode("scripts/start.sh"), 0o755);
  assert.equal(await mode("manifest.yaml"), 0o644);
  await run("sh", "-c", `cd '${target}' && sha256sum -c SHA256SUMS`);
  await Deno.remove(target, { recursive: true });
}
