/**
 * What each kind of start loads: libraries are most of the time until a command answers, and of the memory of an idle
 * server. A library that only some uses need is loaded by them, with `await import()`.
 */
import assert from "node:assert/strict";

/** A module as `deno info --json` lists it. */
interface Listed {
  specifier: string;
  dependencies?: { code?: { specifier?: string }; isDynamic?: boolean }[];
}

const ROOT = new URL("../../", import.meta.url);

async function readGraph(): Promise<Map<string, Listed>> {
  const args = ["info", "--json", "src/cli/main.ts"];
  const { stdout } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as { modules: Listed[] };
  return new Map(modules.map((module) => [module.specifier, module]));
}

const GRAPH = await readGraph();

/** What is loaded with the modules at `paths`, dynamic imports apart. */
interface Loaded {
  packages: string[];
  /** Modules of the runtime. */
  builtins: string[];
  /** Files of ours, below src/. */
  files: string[];
}

function loadedWith(...paths: string[]): Loaded {
  const seen = new Set(paths.map((path) => new URL(`src/${path}`, ROOT).href));
  for (const at of seen) {
    const module = GRAPH.get(at);
    assert.ok(module !== undefined || !at.startsWith("file:"), `${at} is not part of the program`);
    for (const { code, isDynamic } of module?.dependencies ?? []) {
      if (code?.specifier !== undefined && isDynamic !== true) seen.add(code.specifier);
    }
  }
  const named = (prefix: string) =>
    [...seen].filter((one) => one.startsWith(prefix)).map((one) => one.slice(prefix.length)).sort();
  return {
    packages: named("npm:").map((name) => name.replace(/^\//, "").replace(/(?<=.)@.*/, "")),
    builtins: named("node:"),
    files: named(new URL("src/", ROOT).href),
  };
}

/** What every command loads, and what it may load: no module of Node, each costs as much as all of this. */
const PROCESS = "cli/process.ts";
const FRONT = { packages: [], builtins: [] };

Deno.test("startup: what --help and --version load", () => {
  const { packages, builtins } = loadedWith("cli/main.ts");
  assert.deepEqual({ packages, builtins }, FRONT);
});

const SERVE = ["cli/commands/serve.ts", "cli/server_process/run_server.ts"];
/** Folders of what is loaded with a server's first client, its first request of a kind, or its first service. */
const LATER = [
  ...["server/actions/", "server/deployments/", "lifecycle/", "deploy/steps/", "package/archive/"],
  ...["package/manifest/", "executor/ssh/workarounds/", "registry/input/validate.ts"],
  ...["protocol/requests.ts", "protocol/codec.ts", "server/clients.ts", "cli/output/hints.ts"],
  ...["server/connection/client_connection.ts", "server/connection/answers.ts"],
  ...["server/connection/event_fanout.ts", "server/connection/subscribe.ts"],
  ...["server/http/http_handler.ts", "server/services/", "server/listeners/ws_sockets.ts"],
  ...["server/listeners/frame_reader.ts", "server/listeners/frame_writer.ts"],
];
/** Each file is a quarter to half a millisecond of a start. What is new may be part of it, if it must. */
const MAX_SERVE_FILES = 141;

Deno.test("startup: what serve leaves for later", () => {
  const { files } = loadedWith("cli/main.ts", PROCESS, ...SERVE);
  assert.deepEqual(files.filter((file) => LATER.some((later) => file.startsWith(later))), []);
  assert.ok(files.length <= MAX_SERVE_FILES, `${files.length} files`);
  for (const later of LATER) {
    const isThere = [...GRAPH.keys()].some((at) =>
      at.startsWith(new URL(`src/${later}`, ROOT).href)
    );
    assert.ok(isThere, `${later} is not part of the program`);
  }
});

/** A literal of a regular expression: where an expression may begin, with its escapes and classes. */
const LITERAL =
  /(?:^|[^\w$)\]\s"'`/*]|\b(?:return|case|of|in|typeof))\s*(\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*)/gm;

/** The literals in `text` that have a class of Unicode. */
function unicodeClasses(text: string): string[] {
  const literals = [...text.matchAll(LITERAL)].map(([, literal = ""]) => literal);
  return literals.filter((literal) => /\\p\{.*[uv][a-z]*$/i.test(literal));
}

Deno.test("startup: no class of Unicode is compiled before its use", async () => {
  const before = ["", "(", "[", "!", ",", "const A = ", "return ", "a && "];
  const literals = [String.raw`/\p{L}/u`, String.raw`/a\/[/\]]\P{Lu}$/giv`];
  for (const literal of before.flatMap((start) => literals.map((one) => start + one))) {
    assert.equal(unicodeClasses(literal).length, 1, literal);
  }
  for (const text of [String.raw`new RegExp("\\p{L}", "u")`, String.raw`// \p{L}/u`]) {
    assert.deepEqual(unicodeClasses(text), [], text);
  }
  for (const file of loadedWith("cli/main.ts", PROCESS, ...SERVE).files) {
    const text = await Deno.readTextFile(new URL(`src/${file}`, ROOT));
    // Half a millisecond each, as part of the module. `new RegExp()` at the first text does the same.
    assert.deepEqual(unicodeClasses(text), [], file);
  }
});

/** What a kind of start may load besides. */
const STARTS: ReadonlyArray<
  [what: string, modules: string[], extra: { packages?: string[]; builtins?: string[] }]
> = [
  ["a usage error", [], {}],
  ["services", ["cli/commands/services.ts", "client/client.ts"], {}],
  ["watch", ["cli/commands/watch.ts", "client/client.ts"], {}],
  ["service get", ["cli/commands/service.ts", "client/client.ts"], {}],
  ["deployments", ["cli/commands/deployments.ts", "client/client.ts"], { builtins: ["path"] }],
  ["completion at a Tab", ["cli/completion/complete.ts"], {}],
  ["completion of serve's flags", [
    "cli/completion/complete.ts",
    "cli/commands/serve.ts",
  ], { builtins: ["net", "path"] }],
  ["serve", SERVE, {
    builtins: [
      ...["buffer", "crypto", "fs", "fs/promises", "http", "net", "os", "path"],
      ...["process", "zlib"],
    ],
  }],
];

for (const [what, modules, { packages = [], builtins = [] }] of STARTS) {
  Deno.test(`startup: what ${what} loads`, () => {
    const loaded = loadedWith("cli/main.ts", PROCESS, ...modules);
    assert.deepEqual(loaded.packages, [...FRONT.packages, ...packages].sort());
    assert.deepEqual(loaded.builtins, [...FRONT.builtins, ...builtins].sort());
  });
}
