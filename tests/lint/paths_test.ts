/**
 * Files that documents and comments name must exist: a move leaves the mentions of the old place behind.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { extname } from "node:path";

const ROOT = new URL("../../", import.meta.url);
/** A path from the top of the repository. */
const MENTION =
  /(?<![\w./-])(?:src|tests|examples|docs)\/[\w./-]*\w\.(?:ts|sh|awk|md|yaml|json)\b/g;

/** The paths that a text names and that `exists` does not know. */
function missing(text: string, exists: (path: string) => boolean): string[] {
  return [...text.matchAll(MENTION)].map(([path]) => path).filter((path) => !exists(path));
}

/** The texts that name paths: documents whole, source files by their comments. */
async function* texts(dir: string): AsyncGenerator<[string, string]> {
  for await (const { name, isDirectory } of Deno.readDir(new URL(dir, ROOT))) {
    const path = `${dir}${name}`;
    if (isDirectory) {
      yield* texts(`${path}/`);
    } else if (extname(name) === ".md") {
      yield [path, await Deno.readTextFile(new URL(path, ROOT))];
    } else if ([".ts", ".sh", ".awk"].includes(extname(name))) {
      const lines = (await Deno.readTextFile(new URL(path, ROOT))).split("\n");
      // The code of an example makes files of its own.
      const comments = lines.filter((line) =>
        /^\s*(?:\/\/|\/?\*|#)/.test(line) && !/`\$\{/.test(line)
      );
      yield [path, comments.join("\n")];
    }
  }
}

Deno.test("missing: finds a path that is not there", () => {
  assert.deepEqual(
    missing("see src/a.ts, src/b/c.sh and ./src/d.ts", (path) => path === "src/a.ts"),
    [
      "src/b/c.sh",
    ],
  );
});

Deno.test("docs and comments: name files that exist", async () => {
  const wrong: string[] = [];
  const exists = (path: string) => existsSync(new URL(path, ROOT));
  for (const dir of ["docs/", ".github/", "src/", "examples/"]) {
    for await (const [file, text] of texts(dir)) {
      wrong.push(...missing(text, exists).map((path) => `${file}: ${path}`));
    }
  }
  for (const file of ["README.md", "tests/README.md"]) {
    const text = await Deno.readTextFile(new URL(file, ROOT));
    wrong.push(...missing(text, exists).map((path) => `${file}: ${path}`));
  }
  assert.deepEqual(wrong, []);
});
