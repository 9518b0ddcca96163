/** etcd, one node with its defaults, and durable puts on it over gRPC by its own client (`etcd_load/`, in Go). */
import { built } from "../../helpers/build_cache.ts";
import { freePort } from "../../helpers/free_port.ts";
import type { Figures, Tool } from "../row.ts";
import type { Scope } from "../scope.ts";

/** What has to be there for a row with etcd: Go is for its client. */
export const ETCD: Tool = {
  commands: ["etcd", "go"],
  install: "apt-get install etcd-server golang-go",
};

/** A running etcd. */
export interface Etcd extends AsyncDisposable {
  readonly pid: number;
  /** Where it answers, `host:port`. */
  readonly endpoint: string;
  /** Milliseconds from its start until it had elected itself and answered. */
  readonly readyMs: number;
  /** Ends it as a crash does. */
  kill(): Promise<void>;
}

/** Starts etcd on a data directory. */
export async function startEtcd(dataDir: string): Promise<Etcd> {
  const [client, peer] = [await freePort(), await freePort()];
  const [endpoint, peerUrl] = [`127.0.0.1:${client}`, `http://127.0.0.1:${peer}`];
  const begun = performance.now();
  const child = new Deno.Command("etcd", {
    args: [
      ...["--name=bench", `--data-dir=${dataDir}`, "--logger=zap", "--log-level=error"],
      ...[`--listen-client-urls=http://${endpoint}`, `--advertise-client-urls=http://${endpoint}`],
      ...[`--listen-peer-urls=${peerUrl}`, `--initial-advertise-peer-urls=${peerUrl}`],
      `--initial-cluster=bench=${peerUrl}`,
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  let ended = false;
  const status = child.status.finally(() => ended = true);
  while (!await isReady(endpoint)) {
    if (ended) throw new Error("etcd ended at its start");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const end = async (signal: Deno.Signal) => {
    if (!ended) child.kill(signal);
    await status;
  };
  return {
    pid: child.pid,
    endpoint,
    readyMs: performance.now() - begun,
    kill: () => end("SIGKILL"),
    [Symbol.asyncDispose]: () => end("SIGTERM"),
  };
}

async function isReady(endpoint: string): Promise<boolean> {
  try {
    const response = await fetch(`http://${endpoint}/health`);
    return (await response.text()).includes("true");
  } catch {
    return false;
  }
}

/** Options of {@linkcode put}. */
export interface PutOptions {
  readonly connections?: number;
  readonly seconds?: number;
  /** Stops after so many puts instead of after `seconds`. */
  readonly count?: number;
  readonly keys?: number;
  /** Bytes of a value. @default {600, as an ordinary entry has} */
  readonly size?: number;
}

const SOURCES = new URL("./etcd_load/", import.meta.url).pathname;

/** Puts from all connections at once, each again when its last one was answered. */
export async function put(
  scope: Scope,
  endpoint: string,
  options: PutOptions,
): Promise<Figures> {
  const dir = await built(
    { name: "etcd_load", sources: SOURCES, extra: Deno.build.arch },
    async (to) => void await scope.run("go", ["build", "-o", "etcd_load"], { cwd: to }),
  );
  const args = Object.entries({ endpoint, ...options }).map(([name, value]) => `-${name}=${value}`);
  const text = await scope.run(`${dir}/etcd_load`, args);
  return JSON.parse(text);
}
