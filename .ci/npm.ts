/**
 * `deno task npm [directory]`: the package for npm, `dist/npm`, made of the same source for Node 22 and Bun, and
 * beside it the same as one file, `dist/harness-service-registry-<version>.tgz`.
 *
 * esbuild lowers what Node 22 lacks (`using`) and puts scripts imported as text into the code. Packages from npm stay
 * dependencies, but for those that would compile native code at each installation. TypeScript writes the declarations,
 * file by file.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { chmod, copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createRequire, isBuiltin } from "node:module";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import { packTar, type TarEntry } from "modern-tar";
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

/**
 * The package that comes with this one, as a file with all that it needs. It has optional native parts: as a dependency
 * npm would compile them, or warn that it does not. The program works without them, as it does on Deno.
 */
const INCLUDED = "ssh2";
/** The native parts. Required in a `try`, they are not missed. */
const NATIVE = /^cpu-features$|\.node$/;
/** Names that CommonJS modules expect. */
const COMMONJS_NAMES = `import { createRequire as createRequireHere } from "node:module";
const require = createRequireHere(import.meta.url);
const __dirname = import.meta.dirname;`;

/** Starts the program on the runtime that it is given to. The check is in the syntax of older ones. */
const PROGRAM_FILE = `#!/usr/bin/env node
if (Number(process.versions.node.split(".")[0]) < ${NODE_VERSION}) {
  console.error(
    "${SERVER_NAME}: Cannot start: Node " + process.versions.node +
      " is too old; use Node ${NODE_VERSION} or newer, Bun, Deno or the binary",
  );
  process.exit(1);
}
const { run } = await import("./cli.js");
await run();
`;

/** Builds the package into the directory `out` and packs it beside it; returns the file. */
export async function buildNpm(out: string): Promise<string> {
  const config: DenoConfig = JSON.parse(await readFile(join(ROOT, "deno.json"), "utf8"));
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  const packages = await bundle(config, out);
  await include(out);
  await esbuild.stop();
  const { [PROGRAM]: _, ...library } = config.exports;
  await writeDeclarations(Object.values(library), join(out, "types"));
  await writeFile(join(out, "package.json"), packageJson(config, packages));
  await writeFile(join(out, "bin.js"), PROGRAM_FILE);
  await chmod(join(out, "bin.js"), 0o755);
  for (const file of ["README.md", "LICENSE", "docs/CHANGELOG.md"]) {
    await copyFile(join(ROOT, file), join(out, basename(file)));
  }
  const file = `${config.name.replace("@", "").replace("/", "-")}-${config.version}.tgz`;
  await pack(out, join(dirname(out), file));
  return join(dirname(out), file);
}

/** The file of an entry, without its extension: `.` is `mod`, `./client` is `client`. */
function outputName(entry: string): string {
  return entry === "." ? "mod" : entry.slice("./".length);
}

/** Writes one file per entry and their shared chunks; returns the npm packages they import. A class stays the same one, whichever entry it comes from. */
async function bundle(config: DenoConfig, out: string): Promise<string[]> {
  const entries = Object.entries(config.exports);
  const { metafile } = await esbuild.build({
    ...BUNDLE,
    entryPoints: Object.fromEntries(entries.map(([entry, file]) => [outputName(entry), file])),
    outdir: out,
    chunkNames: "chunks/[hash]",
    splitting: true,
    packages: "external",
    plugins: [{ name: "included", setup: useIncluded }, { name: "text", setup: loadText }],
  });
  const external = Object.values(metafile.inputs).flatMap(({ imports }) =>
    imports.filter((i) => i.external === true && !isBuiltin(i.path)).map((i) => packageOf(i.path))
  );
  // esbuild lists its own helpers, "<runtime>", too.
  return [...new Set(external)].filter((name) => name in config.imports).sort();
}

const BUNDLE = {
  absWorkingDir: ROOT,
  bundle: true,
  format: "esm",
  platform: "node",
  target: `node${NODE_VERSION}`,
  metafile: true,
  logLevel: "warning",
} as const;

/** Imports the file of {@linkcode INCLUDED} by the name that package.json gives to it. */
function useIncluded(build: esbuild.PluginBuild): void {
  build.onResolve({ filter: new RegExp(`^${INCLUDED}$`) }, ({ path }) => ({
    path: `#${path}`,
    external: true,
  }));
}

/** Writes {@linkcode INCLUDED}, and the licenses of what is in it. */
async function include(out: string): Promise<void> {
  const { metafile } = await esbuild.build({
    ...BUNDLE,
    stdin: { contents: `export { default } from "${INCLUDED}";`, resolveDir: ROOT },
    outfile: join(out, `vendor/${INCLUDED}.js`),
    banner: { js: COMMONJS_NAMES },
    plugins: [{ name: "packages", setup: resolvePackages }],
    // In asn1, a package that ssh2 needs.
    logOverride: { "suspicious-boolean-not": "silent" },
  });
  const files = Object.keys(metafile.inputs).filter((file) => file !== "<stdin>");
  await writeFile(join(out, "THIRD_PARTY_LICENSES"), await licenses(files));
}

/** Finds packages where Deno keeps them. */
function resolvePackages(build: esbuild.PluginBuild): void {
  build.onResolve({ filter: /.*/ }, ({ path, importer }) => {
    if (NATIVE.test(path) || isBuiltin(path)) return { path, external: true };
    const from = importer === "<stdin>" ? import.meta.url : importer;
    return { path: createRequire(from).resolve(path) };
  });
}

/** The licenses of the packages that these files are from. */
async function licenses(files: readonly string[]): Promise<string> {
  const dirs = new Set<string>();
  for (const file of files) {
    dirs.add(await packageDir(dirname(resolve(ROOT, file))));
  }
  const texts = await Promise.all(
    [...dirs].sort().map(async (dir) => {
      const { name, version } = JSON.parse(await readFile(join(dir, "package.json"), "utf8"));
      const file = (await readdir(dir)).find((file) => /^licen[cs]e/i.test(file));
      if (file === undefined) throw new Error(`${name} has no license file`);
      return `${name} ${version}\n\n${(await readFile(join(dir, file), "utf8")).trim()}\n`;
    }),
  );
  return texts.join(`\n${"-".repeat(72)}\n\n`);
}

/** The nearest directory with a package.json. */
async function packageDir(dir: string): Promise<string> {
  const there = await stat(join(dir, "package.json")).then(() => true, () => false);
  return there ? dir : await packageDir(dirname(dir));
}

/** `import text from "./start.sh" with { type: "text" }`. */
function loadText(build: esbuild.PluginBuild): void {
  build.onLoad({ filter: /\.(sh|awk|bash|zsh|fish|ps1)$/ }, async ({ path }) => ({
    contents: await readFile(path, "utf8"),
    loader: "text",
  }));
}

function packageOf(specifier: string): string {
  return specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}

/** What `npm pack` would make of a directory, the same bytes at each time. */
async function pack(dir: string, file: string): Promise<void> {
  const names = await readdir(dir, { recursive: true, withFileTypes: true });
  const paths = names.filter((it) => it.isFile()).map((it) => join(it.parentPath, it.name)).sort();
  const entries = await Promise.all(paths.map(async (path): Promise<TarEntry> => {
    const body = await readFile(path);
    const { mode } = await stat(path);
    return {
      header: {
        name: `package/${relative(dir, path).replaceAll("\\", "/")}`,
        size: body.length,
        mode: (mode & 0o100) === 0 ? 0o644 : 0o755,
        mtime: PACKED_AT,
        type: "file",
      },
      body,
    };
  }));
  await writeFile(file, gzipSync(await packTar(entries), { level: 9 }));
}

/** The time that npm gives to packed files. */
const PACKED_AT = new Date("1985-10-26T08:15:00.000Z");

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

/** In `from "./x.ts"` and in the type `import("./x.ts")`. */
const RELATIVE_IMPORT = /((?:from |import\()"(\.{1,2}\/[^"]*))\.ts"/g;

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
  // A module that is imported for what it does has no types, and from version 6 on a missing one is an error.
  return outputText.replace(/^ +\[Symbol\.\w+\]: \(.*;\n/gm, "").replace(/^import "\..*\n/gm, "");
}

/** Where a workflow of GitHub builds it: npm compares this with the provenance, and refuses another one. */
function repository(): { repository?: { type: string; url: string } } {
  const [server, name] = ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY"].map((it) => Deno.env.get(it));
  if (server === undefined || name === undefined) return {};
  return { repository: { type: "git", url: `git+${server}/${name}.git` } };
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
      ...repository(),
      keywords: ["service-registry", "deployment", "ssh", "websocket", "control-plane"],
      type: "module",
      main: "./mod.js",
      types: "./types/mod.d.ts",
      engines: { node: `>=${NODE_VERSION}` },
      bin: { [SERVER_NAME]: "bin.js" },
      exports: {
        ...Object.fromEntries(
          Object.entries(exports).filter(([entry]) => entry !== PROGRAM).map(([entry, file]) => [
            entry,
            {
              types: `./types/${file.replace("./", "").replace(/\.ts$/, ".d.ts")}`,
              default: `./${outputName(entry)}.js`,
            },
          ]),
        ),
        "./package.json": "./package.json",
      },
      imports: { [`#${INCLUDED}`]: `./vendor/${INCLUDED}.js` },
      dependencies: Object.fromEntries(
        packages.map((p) => [p, imports[p]?.slice(`npm:${p}@`.length)]),
      ),
      publishConfig: { access: "public", provenance: true },
    },
    null,
    2,
  ) + "\n";
}

if (import.meta.main) {
  const out = resolve(Deno.args[0] ?? join(ROOT, "dist/npm"));
  console.log(`Wrote ${out}\nWrote ${await buildNpm(out)}`);
}
