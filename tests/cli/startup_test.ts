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

/** What is loaded with the modules at `paths`, dynamic imports apart: packages, and modules of the runtime. */
function loadedWith(...paths: string[]): { packages: string[]; builtins: string[] } {
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
  };
}

/** What every command loads, and what it may load: no module of Node, each costs as much as all of this. */
const PROCESS = "cli/process.ts";
const FRONT = { packages: ["get-east-asian-width"], builtins: [] };

Deno.test("startup: what --help and --version load", () => {
  assert.deepEqual(loadedWith("cli/main.ts"), {
    packages: ["get-east-asian-width"],
    builtins: [],
  });
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
  ["serve", ["cli/commands/serve.ts", "cli/server_process/run_server.ts"], {
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
