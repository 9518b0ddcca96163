/** How soon the program answers, and what an idle server holds in memory, beside a Deno that does nothing. */
import { programArgs, startProduct } from "../product.ts";
import { atOnce, type Contender, type Figures, type Row } from "../row.ts";
import { memoryOf, type Scope } from "../scope.ts";
import { median } from "../stats.ts";
import { seconds } from "../timed.ts";
import { RawClient } from "../../helpers/raw_client.ts";

/** How long a server is left alone before its memory is read. */
const IDLE_MS = 5000;
/** Runs of a command in one measurement, of which the middle one counts. */
const RUNS = 5;
const MB = 1e6;

const EMPTY = "export {};\n";
const BARE = `Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log("ws://127.0.0.1:" + port),
}, () => new Response("ok"));
`;

/** What is run, and the name of its figure. */
const COMMANDS: ReadonlyArray<[figure: string, args: string[]]> = [
  ["help_ms", ["--help"]],
  ["version_ms", ["--version"]],
  ["services_ms", ["services"]],
  ["typo_ms", ["servces"]],
  ["tab_ms", ["complete", "zsh", "--current=--st", "--", "services"]],
];

/** Milliseconds of `deno` from its start to its end. */
async function runs(args: readonly string[], env: Record<string, string>): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const command = new Deno.Command(Deno.execPath(), {
      args: [...args],
      env: { NO_COLOR: "1", ...env },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    });
    times.push(1000 * await seconds(() => command.output()));
  }
  return median(times);
}

async function written(scope: Scope, name: string, text: string): Promise<string> {
  const path = scope.path(name);
  await Deno.writeTextFile(path, text);
  return path;
}

function startBare(scope: Scope, file: string) {
  return scope.start(Deno.execPath(), ["run", "-A", file]);
}

/** Milliseconds to the ready line of a server with an empty state directory. */
async function readyAfter(start: () => Promise<AsyncDisposable>): Promise<Figures> {
  const begun = performance.now();
  await using _server = await start();
  return { ready_ms: performance.now() - begun };
}

/** Memory of a server that nobody uses, and once somebody did. */
async function idle(scope: Scope): Promise<Figures> {
  await using server = await startProduct(scope);
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  const idle_mb = await memoryOf(server.pid) / MB;
  await using client = await RawClient.ready(server.url);
  await client.call("list_services");
  return { idle_mb, client_mb: await memoryOf(server.pid) / MB };
}

async function bareIdle(scope: Scope, file: string): Promise<Figures> {
  await using server = await startBare(scope, file);
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  return { idle_mb: await memoryOf(server.pid) / MB };
}

async function commandLine(scope: Scope, url: string, stateDir: string): Promise<Contender[]> {
  const empty = await written(scope, "empty.ts", EMPTY);
  const bare = await written(scope, "bare.ts", BARE);
  const env = {
    HARNESS_URL: url,
    HARNESS_TOKEN_FILE: `${stateDir}/token`,
    XDG_RUNTIME_DIR: scope.dir,
  };
  return [{
    name: "ours",
    async measure() {
      const figures = await readyAfter(() => startProduct(scope));
      for (const [figure, args] of COMMANDS) {
        figures[figure] = await runs([...programArgs(), ...args], env);
      }
      return figures;
    },
  }, {
    name: "bare Deno",
    async measure() {
      const { ready_ms = NaN } = await readyAfter(() => startBare(scope, bare));
      return { ready_ms, run_ms: await runs(["run", "-A", empty], env) };
    },
  }];
}

const COLD_START = "ours.ready_ms";

/** Rows 8 (idle) and 12. */
export const rows: readonly Row[] = [{
  number: 8,
  name: "memory-idle",
  limit: "Deno with its node: modules, 43 MB; then the program",
  targets: [
    {
      title: "memory of an idle server",
      unit: "MB",
      figure: "ours.idle_mb",
      atMost: 75,
    },
    {
      title: "… beside Deno.serve",
      unit: "MB",
      figure: "ours.idle_mb",
      peer: "bare Deno.idle_mb",
    },
    { title: "… after its first client", unit: "MB", figure: "ours.client_mb" },
  ],
  async setUp(scope) {
    const bare = await written(scope, "bare.ts", BARE);
    const [ours, peer] = atOnce(() => idle(scope), () => bareIdle(scope, bare));
    return [{ name: "ours", measure: ours }, { name: "bare Deno", measure: peer }];
  },
}, {
  number: 12,
  name: "start",
  limit:
    "Deno itself 15 ms, its node: modules 31, the 141 files of a server 32, new files on the disk",
  targets: [
    { title: "start of a server to its ready line", unit: "ms", figure: COLD_START, atMost: 100 },
    { title: "… beside Deno.serve", unit: "ms", figure: COLD_START, peer: "bare Deno.ready_ms" },
    { title: "services", unit: "ms", figure: "ours.services_ms", atMost: 70 },
    { title: "--help", unit: "ms", figure: "ours.help_ms", atMost: 45 },
    {
      title: "… beside deno run of nothing",
      unit: "ms",
      figure: "ours.help_ms",
      peer: "bare Deno.run_ms",
    },
    { title: "--version", unit: "ms", figure: "ours.version_ms" },
    { title: "a misspelt command", unit: "ms", figure: "ours.typo_ms" },
    { title: "a Tab", unit: "ms", figure: "ours.tab_ms" },
  ],
  async setUp(scope, stack) {
    const server = stack.use(await startProduct(scope, { services: 10 }));
    return await commandLine(scope, server.url, server.stateDir);
  },
}];
