/**
 * `deno task npm [directory]`: the package for npm, `dist/npm`, made of the same source for Node 22 and Bun.
 *
 * esbuild lowers what Node 22 lacks (`using`) and puts scripts imported as text into the code; packages from npm stay
 * dependencies. TypeScript writes the declarations, file by file.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { chmod, copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import ts from "typescript";
import { SERVER_NAME } from "../src/version.ts";

/** The part of deno.json that is used here. */
interface DenoConfig {
  name: string;
  version: string;
  license: string;
  exports: Record<string, string>;
  imports: Record<string, string>;
}

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const NODE_VERSION = 22;

/** The program is no entry for others: the file in `bin` starts it. */
const PROGRAM = "./cli";

/** Starts the program on the runtime that it is given to. */
const PROGRAM_FILE = `#!/usr/bin/env node
import { run } from "./cli.js";

await run();
`;

/** Builds the package into `out`. */
export async function buildNpm(out: string): Promise<void> {
  const config: DenoConfig = JSON.parse(await readFile(join(ROOT, "deno.json"), "utf8"));
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  const packages = await bundle(config, out);
  const { [PROGRAM]: _, ...library } = config.exports;
  await writeDeclarations(Object.values(library), join(out, "types"));
  await writeFile(join(out, "package.json"), packageJson(config, packages));
  await writeFile(join(out, "bin.js"), PROGRAM_FILE);
  await chmod(join(out, "bin.js"), 0o755);
  for (const file of ["README.md", "LICENSE"]) await copyFile(join(ROOT, file), join(out, file));
}

/** The file of an entry, without its extension: `.` is `mod`, `./client` is `client`. */
function outputName(entry: string): string {
  return entry === "." ? "mod" : entry.slice("./".length);
}

/** Writes one file per entry and their shared chunks; returns the npm packages they import. A class stays the same one, whichever entry it comes from. */
async function bundle(config: DenoConfig, out: string): Promise<string[]> {
  const entries = Object.entries(config.exports);
  const { metafile } = await esbuild.build({
    absWorkingDir: ROOT,
    entryPoints: Object.fromEntries(entries.map(([entry, file]) => [outputName(entry), file])),
    outdir: out,
    chunkNames: "chunks/[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: `node${NODE_VERSION}`,
    packages: "external",
    plugins: [{ name: "text", setup: loadText }],
    metafile: true,
    logLevel: "warning",
  });
  await esbuild.stop();
  const external = Object.values(metafile.inputs).flatMap(({ imports }) =>
    imports.filter((i) => i.external === true && !isBuiltin(i.path)).map((i) => packageOf(i.path))
  );
  // esbuild lists its own helpers, "<runtime>", too.
  return [...new Set(external)].filter((name) => name in config.imports).sort();
}

/** \`import text from "./start.sh" with { type: "text" }\`. */
function loadText(build: esbuild.PluginBuild): void {
  build.onLoad({ filter: /\.(sh|awk)$/ }, async ({ path }) => ({
    contents: await readFile(path, "utf8"),
    loader: "text",
  }));
}

function packageOf(specifier: string): string {
  return specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}

/** Declarations of the entries, and of all that they mention. */
async function writeDeclarations(entries: readonly string[], out: string): Promise<void> {
  const files = new Set(entries.map((file) => join(".", file)));
  for (const file of files) {
    const text = declarationOf(file, await readFile(join(ROOT, file), "utf8"));
    const target = join(out, file.replace(/\.ts$/, ".d.ts"));
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, text.replace(RELATIVE_IMPORT, '$1.js"'));
    for (const [, , path = ""] of text.matchAll(RELATIVE_IMPORT)) {
      files.add(join(dirname(file), `${path}.ts`));
    }
  }
}

const RELATIVE_IMPORT = /(from "(\.{1,2}\/[^"]*))\.ts"/g;

/** Needs no other file: `deno publish` checks that everything public has an explicit type. */
function declarationOf(fileName: string, source: string): string {
  const compilerOptions: ts.CompilerOptions = {
    target: ts.ScriptTarget.ESNext,
    module: ts.ModuleKind.NodeNext,
    exactOptionalPropertyTypes: true,
    strict: true,
  };
  const { outputText } = ts.transpileDeclaration(source, { fileName, compilerOptions });
  // TypeScript 6 writes methods like [Symbol.asyncDispose] twice here, first as a property.
  return outputText.replace(/^ +\[Symbol\.\w+\]: \(.*;\n/gm, "");
}

function packageJson(config: DenoConfig, packages: readonly string[]): string {
  const { name, version, license, exports, imports } = config;
  return JSON.stringify(
    {
      name,
      version,
      license,
      description:
        "Service registry, deployment over SSH and lifecycle of services on plain Linux hosts",
      type: "module",
      engines: { node: `>=${NODE_VERSION}` },
      bin: { [SERVER_NAME]: "bin.js" },
      exports: Object.fromEntries(
        Object.entries(exports).filter(([entry]) => entry !== PROGRAM).map(([entry, file]) => [
          entry,
          {
            types: `./types/${file.replace("./", "").replace(/\.ts$/, ".d.ts")}`,
            default: `./${outputName(entry)}.js`,
          },
        ]),
      ),
      dependencies: Object.fromEntries(
        packages.map((p) => [p, imports[p]?.slice(`npm:${p}@`.length)]),
      ),
    },
    null,
    2,
  ) + "\n";
}

if (import.meta.main) {
  const out = resolve(Deno.args[0] ?? join(ROOT, "dist/npm"));
  await buildNpm(out);
  console.log(`Wrote ${out}`);
}
