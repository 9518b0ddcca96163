/**
 * Programs that tests build once: a directory of the user's cache for each state of their sources, so that a second
 * run of the tests builds nothing.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";

/** Where: `HARNESS_TEST_CACHE`, or a directory of the user's cache. */
function cacheRoot(): string {
  const own = Deno.env.get("HARNESS_TEST_CACHE");
  if (own !== undefined) return own;
  const home = Deno.env.get("HOME") ?? "/tmp";
  return join(Deno.env.get("XDG_CACHE_HOME") ?? join(home, ".cache"), "harness-tests");
}

/** States of a program that nobody has used for this long are removed. */
const UNUSED_MS = 7 * 24 * 3600 * 1000;

/**
 * A directory with a copy of `sources`, in which `build` was run. One process builds while others wait for it.
 *
 * @param name Name of the program.
 * @param sources Its directory.
 * @param extra What else the result depends on, such as a version.
 */
export async function built(
  { name, sources, extra = "" }: { name: string; sources: string; extra?: string },
  build: (dir: string) => Promise<void>,
): Promise<string> {
  const files = await filesOf(sources);
  const hash = createHash("sha256").update(extra);
  for (const file of files) hash.update(file).update(await Deno.readFile(join(sources, file)));
  const root = cacheRoot();
  const dir = join(root, `${name}-${hash.digest("hex").slice(0, 12)}`);
  const mark = join(dir, ".built");
  await Deno.mkdir(root, { recursive: true });
  using lock = await Deno.open(join(root, `.${name}.lock`), { create: true, write: true });
  await lock.lock(true);
  if (!await exists(mark)) {
    await removeUnused(root, name);
    // What a build that was cut off has left.
    await Deno.remove(dir, { recursive: true }).catch(() => {});
    for (const file of files) {
      await Deno.mkdir(join(dir, file, ".."), { recursive: true });
      await Deno.copyFile(join(sources, file), join(dir, file));
    }
    await build(dir);
  }
  await Deno.writeTextFile(mark, "");
  return dir;
}

/** Other states of the program may be in use by the tests of another checkout. */
async function removeUnused(root: string, name: string): Promise<void> {
  for await (const entry of Deno.readDir(root)) {
    if (!entry.name.startsWith(`${name}-`)) continue;
    const { mtime } = await Deno.stat(join(root, entry.name, ".built")).catch(() =>
      Deno.stat(join(root, entry.name))
    );
    if (Date.now() - (mtime?.getTime() ?? 0) < UNUSED_MS) continue;
    await Deno.remove(join(root, entry.name), { recursive: true });
  }
}

async function filesOf(dir: string, prefix = ""): Promise<string[]> {
  const files: string[] = [];
  for await (const entry of Deno.readDir(join(dir, prefix))) {
    const path = join(prefix, entry.name);
    if (entry.isDirectory) files.push(...await filesOf(dir, path));
    else files.push(path);
  }
  return files.toSorted();
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}
