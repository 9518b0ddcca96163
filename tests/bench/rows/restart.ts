/** From `kill -9` to the ready line, with what the last run has left. */
import { load, request } from "../load_client.ts";
import { ETCD, put, startEtcd } from "../peers/etcd.ts";
import { startProduct, stateWith } from "../product.ts";
import { absent, type Contender, type Figures, type Row } from "../row.ts";
import type { Scope } from "../scope.ts";

/** What is there at the crash: so many services, and so many changes of them before it. */
interface Left {
  readonly name: string;
  readonly services: number;
  readonly changes: number;
}

const LEFT: readonly Left[] = [
  { name: "10k + 100k changes", services: 10_000, changes: 100_000 },
  { name: "100k", services: 100_000, changes: 0 },
];

function kill(pid: number): void {
  Deno.kill(pid, "SIGKILL");
}

/** A state directory as a crash right after the last answer leaves it. */
async function crashed(scope: Scope, { services, changes }: Left): Promise<string> {
  if (changes === 0) return await stateWith(scope, services);
  const server = await startProduct(scope, { services });
  const frame = request("update_service", { name: "service-{n}", version: "1.0.{v}" });
  await load(scope, "requests", {
    server,
    connections: 64,
    inFlight: 8,
    names: services,
    count: changes,
    frame,
  });
  kill(server.pid);
  await server[Symbol.asyncDispose]();
  return server.stateDir;
}

/** Starts on a copy, and ends it as a crash does: the next round finds the same. */
async function restart(scope: Scope, left: string): Promise<Figures> {
  const stateDir = scope.path("restart");
  await scope.run("cp", ["-R", left, stateDir]);
  await scope.run("sync", ["-f", stateDir]);
  const begun = performance.now();
  const server = await startProduct(scope, { stateDir });
  const ready_ms = performance.now() - begun;
  kill(server.pid);
  await server[Symbol.asyncDispose]();
  await scope.run("rm", ["-rf", stateDir]);
  return { ready_ms };
}

/** The same data in etcd, ended in the same way. */
async function crashedEtcd(scope: Scope, { services, changes }: Left): Promise<string> {
  const dataDir = scope.path("etcd");
  const etcd = await startEtcd(dataDir);
  for (const count of [services, changes]) {
    if (count > 0) await put(scope, etcd.endpoint, { connections: 256, count, keys: services });
  }
  await etcd.kill();
  return dataDir;
}

async function restartEtcd(dataDir: string): Promise<Figures> {
  const etcd = await startEtcd(dataDir);
  await etcd.kill();
  return { ready_ms: etcd.readyMs };
}

/** Row 7. */
export const rows: readonly Row[] = [{
  number: 7,
  name: "restart",
  limit: "the start of the runtime; then reading the snapshot and its checksum",
  targets: [
    {
      title: "kill -9 to ready, 10k services after 100k changes",
      unit: "ms",
      figure: "ours, 10k + 100k changes.ready_ms",
      atMost: 500,
    },
    ...LEFT.map(({ name }) => ({
      title: name === "100k" ? "… 100k services" : "… the same beside etcd",
      unit: "ms",
      figure: `ours, ${name}.ready_ms`,
      peer: `etcd, ${name}.ready_ms`,
      atMost: 1,
    })),
  ],
  async setUp(scope) {
    const contenders: Contender[] = [];
    const isEtcdThere = await scope.has(ETCD);
    for (const left of LEFT) {
      const name = `etcd, ${left.name}`;
      const [stateDir, dataDir] = await Promise.all([
        crashed(scope, left),
        isEtcdThere ? crashedEtcd(scope, left) : null,
      ]);
      contenders.push(
        { name: `ours, ${left.name}`, measure: () => restart(scope, stateDir) },
        dataDir === null ? absent(name, ETCD) : { name, measure: () => restartEtcd(dataDir) },
      );
    }
    return contenders;
  },
}];
