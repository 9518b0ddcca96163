/** A directory for the time of one test. */
import { removeTree } from "./remove_tree.ts";

/** Makes a directory that is removed at the end. */
export async function tempDir(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "harness-" });
  return { path, [Symbol.asyncDispose]: () => removeTree(path) };
}

/** Runs `test` with a directory that is removed afterwards. */
export async function inTempDir(test: (dir: string) => Promise<void>): Promise<void> {
  await using dir = await tempDir();
  await test(dir.path);
}
