/** The bare servers that the product is compared with: no checks, no limits, nothing on disk. */
import { built } from "../helpers/build_cache.ts";
import { absent, type Contender, type Figures } from "./row.ts";
import type { Running, Scope } from "./scope.ts";

/** A bare server that runs. */
export interface Bare extends Running {
  readonly port: number;
}

/** What the bare servers send. */
export interface Answers {
  readonly data: Readonly<Record<string, string>>;
  readonly event: string;
}

const PEERS = new URL("./peers/websocket/", import.meta.url).pathname;
const WS_VERSION = "8.23.0";

/** Each bare server: how it is called in the table, what it needs, what runs it. */
const KINDS = {
  deno: { name: "bare Deno", needs: { commands: [], install: "" } },
  node: {
    name: "Node ws",
    needs: { commands: ["node", "npm"], install: "apt-get install nodejs npm" },
  },
  bun: { name: "Bun", needs: { commands: ["bun"], install: "npm install --global bun" } },
} as const;

/** Which bare server. */
export type BareKind = keyof typeof KINDS;

/** Starts bare servers, to be closed by `stack`, and makes contenders of them. */
export async function bareContenders(
  scope: Scope,
  { kinds, answers, stack, measure }: {
    kinds: readonly BareKind[];
    answers: Answers;
    stack: AsyncDisposableStack;
    measure: (server: Bare) => Promise<Figures>;
  },
): Promise<Contender[]> {
  const file = scope.path("answers.json");
  await Deno.writeTextFile(file, JSON.stringify(answers));
  return await Promise.all(kinds.map(async (kind): Promise<Contender> => {
    const { name, needs } = KINDS[kind];
    if (!await scope.has(needs)) return absent(name, needs);
    const running = stack.use(await start(scope, kind, file));
    const server = { ...running, port: Number(running.line) };
    return { name, measure: () => measure(server) };
  }));
}

async function start(scope: Scope, kind: BareKind, file: string): Promise<Running> {
  if (kind === "deno") {
    return await scope.start(Deno.execPath(), ["run", "-A", `${PEERS}bare_deno.ts`, file]);
  }
  const dir = kind === "node" ? await withWs(scope) : PEERS;
  return await scope.start(kind, [`${dir}/bare_${kind}.mjs`, file]);
}

/** The peers beside an installed `ws`. */
async function withWs(scope: Scope): Promise<string> {
  return await built({ name: "bare-ws", sources: PEERS, extra: WS_VERSION }, async (dir) => {
    const args = ["install", "--no-audit", "--no-fund", "--prefix", dir, `ws@${WS_VERSION}`];
    await scope.run("npm", args, { cwd: dir });
  });
}
