import assert from "node:assert/strict";
import type { Command } from "../../src/cli/command_line/command.ts";
import { dirname } from "node:path";
import { parse } from "yaml";
import { buildPackage } from "../../src/package/build.ts";
import { wholeProgram } from "../helpers/cli.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { shellBlocks } from "./shell_blocks.ts";

const DOCUMENT = "docs/coming-from.md";
const TEXT = await Deno.readTextFile(new URL(`../../${DOCUMENT}`, import.meta.url));

/** The manifests of this project: those of the other tools have other keys. */
const MANIFESTS = [...TEXT.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, text = ""]) => text)
  .filter((text) => parse(text).name !== undefined);

for (const manifest of MANIFESTS) {
  const { name, health } = parse(manifest);
  Deno.test(`coming-from: the manifest of ${name} makes a package`, async () => {
    await using dir = await tempDir();
    const files: Record<string, string> = { "manifest.yaml": manifest };
    for (const script of ["scripts/start.sh", health?.script ?? []].flat()) {
      files[script] = "#!/bin/sh\nexec true\n";
    }
    for (const [path, text] of Object.entries(files)) {
      await Deno.mkdir(dirname(`${dir.path}/tree/${path}`), { recursive: true });
      await Deno.writeTextFile(`${dir.path}/tree/${path}`, text, { mode: 0o755 });
    }
    await buildPackage(`${dir.path}/tree`, { outDir: dir.path });
  });
}

Deno.test("coming-from: an example for each tool", () => {
  const tools = [...TEXT.matchAll(/^## From (.*)$/gm)].map(([, tool]) => tool);
  assert.deepEqual(tools, ["Kamal", "Capistrano", "PM2", "Supervisor", "process-compose"]);
  assert.equal(MANIFESTS.length, 6);
});

/** The command that words name, and how many words that are. */
function find(program: Command, words: readonly string[]): Command {
  const next = program.commands.find((command) => command.name === words[0]);
  return next === undefined ? program : find(next, words.slice(1));
}

Deno.test("coming-from: commands and flags that there are", async () => {
  const program = await wholeProgram();
  const lines = (await shellBlocks(DOCUMENT)).flatMap((block) => block.trim().split("\n"));
  // In the tables: `service stop web`, `deploy … --hosts-file production.txt`.
  const names = new Set(program.commands.map((command) => command.name));
  const mentions = [...TEXT.matchAll(/`([a-z]+(?: [^`]*)?)`/g)].map(([, words = ""]) => words)
    .filter((words) => names.has(words.split(" ")[0] ?? ""))
    .map((words) => `harness-ws-server ${words}`);
  assert.ok(lines.length > 10 && mentions.length > 20);
  for (const line of [...lines, ...mentions]) {
    const [name, ...words] = line.split(" ");
    assert.equal(name, "harness-ws-server", line);
    const command = find(program, words);
    assert.notEqual(command, program, line);
    for (const flag of words.filter((word) => word.startsWith("--"))) {
      assert.ok(command.options.some(({ long }) => long === flag), `${line}: no ${flag}`);
    }
  }
});
