import assert from "node:assert/strict";
import { join } from "node:path";
import type { HarnessError } from "../../src/errors.ts";
import { EntryTable } from "../../src/package/archive/entry_table.ts";
import { hashEntry, sourceFiles } from "../../src/package/source_files.ts";
import { readSourceTree } from "../../src/package/source_tree.ts";
import { within } from "../helpers/raw_client.ts";
import { run, withTempDir, writeTree } from "./sample_tree.ts";

/** What may take the place of the file `zz/data`, or of the directory above it. */
const REPLACEMENTS: Record<string, (tree: string, secret: string) => Promise<unknown>> = {
  "a link": (tree, secret) => Deno.symlink(join(secret, "data"), join(tree, "zz/data")),
  "a FIFO": (tree) => run("mkfifo", join(tree, "zz/data")),
  "a directory": (tree) => Deno.mkdir(join(tree, "zz/data")),
  nothing: () => Promise.resolve(),
  "another file": (tree, secret) => Deno.rename(join(secret, "data"), join(tree, "zz/data")),
  "a link above": async (tree, secret) => {
    await Deno.remove(join(tree, "zz"));
    await Deno.symlink(secret, join(tree, "zz"));
  },
};
/** Those that only their inode numbers tell, which files on a network need not keep. */
const OTHER_FILES = ["another file", "a link above"];

/** Replaces a file of `size` bytes after the tree was read; gives the error for it. */
async function replaced(name: string, { size, local }: { size: number; local: boolean }) {
  let error: HarnessError | null = null;
  await withTempDir(async (dir) => {
    const secret = join(dir, "secret");
    await Deno.mkdir(secret);
    await Deno.writeTextFile(join(secret, "data"), "s".repeat(size));
    const root = await writeTree(join(dir, "tree"), { "zz/data": "1".repeat(size) });
    const directory = { root, local, inodes: new Map() };
    const table = new EntryTable();
    const options = { overrides: new Map(), isExcluded: () => false };
    await readSourceTree(directory, table, options);
    await Deno.remove(join(root, "zz/data"));
    await REPLACEMENTS[name]?.(root, secret);
    const read = async () => {
      for await (const { entry, chunks } of sourceFiles(directory, table.entries, options)) {
        await hashEntry(entry, chunks);
      }
    };
    error = await within(60_000, read().then(() => null, (error) => error), "the error");
  });
  return error as HarnessError | null;
}

for (const name of Object.keys(REPLACEMENTS)) {
  Deno.test(`sourceFiles: ${name} instead of a file is an error`, async () => {
    for (const local of OTHER_FILES.includes(name) ? [true] : [false, true]) {
      for (const size of [1000, 1_000_000]) {
        const error = await replaced(name, { size, local });
        assert.equal(error?.details?.["reason"], "changed_while_reading", String(error));
        assert.equal(error.details["path"], "zz/data");
      }
    }
  });
}
