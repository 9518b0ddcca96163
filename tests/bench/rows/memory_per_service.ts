/** What a service takes in memory: an empty server, and the same with 100,000 that were registered one by one. */
import { load, request } from "../load_client.ts";
import { ETCD, put, startEtcd } from "../peers/etcd.ts";
import { startProduct } from "../product.ts";
import { absent, atOnce, type Figures, type Row } from "../row.ts";
import { memoryOf, type Scope } from "../scope.ts";

const SERVICES = 100_000;

const frame = request("register_service", {
  service: {
    name: "service-{n}",
    version: "1.0.0",
    execution: { type: "systemd_service", unit_name: "api.service" },
    endpoints: [{ name: "http", address: "10.0.0.1:8080", protocol: "http", metadata: {} }],
    labels: { env: "prod", team: "payments" },
  },
});

/** Memory once it no longer falls: snapshots are written and the collector has run. */
async function settled(pid: number): Promise<number> {
  let least = await memoryOf(pid);
  for (let same = 0; same < 4;) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const now = await memoryOf(pid);
    same = now < 0.98 * least ? 0 : same + 1;
    least = Math.min(least, now);
  }
  return least;
}

function perService(before: number, after: number): Figures {
  return { kb: (after - before) / SERVICES / 1000, total_mb: after / 1e6 };
}

async function ours(scope: Scope): Promise<Figures> {
  await using server = await startProduct(scope);
  const before = await settled(server.pid);
  const options = { server, connections: 8, inFlight: 32, names: SERVICES, frame };
  await load(scope, "requests", { ...options, count: SERVICES });
  return perService(before, await settled(server.pid));
}

async function etcd(scope: Scope): Promise<Figures> {
  await using peer = await startEtcd(scope.path("etcd"));
  const before = await settled(peer.pid);
  await put(scope, peer.endpoint, { count: SERVICES, keys: SERVICES });
  return perService(before, await settled(peer.pid));
}

/** Row 8, the part that grows; `startup.ts` has what an idle server takes. */
export const rows: readonly Row[] = [{
  number: 8,
  name: "memory_per_service",
  limit: "the entry's JSON (600 bytes), and what the collector leaves for later",
  targets: [
    {
      title: "memory per service, at 100k",
      unit: "kB",
      figure: "ours.kb",
      atMost: 2,
    },
    {
      title: "… server with 100k beside etcd",
      unit: "MB",
      figure: "ours.total_mb",
      peer: "etcd.total_mb",
      atMost: 1.5,
    },
  ],
  async setUp(scope) {
    if (!await scope.has(ETCD)) {
      return [{ name: "ours", measure: () => ours(scope) }, absent("etcd", ETCD)];
    }
    const [own, peer] = atOnce(() => ours(scope), () => etcd(scope));
    return [{ name: "ours", measure: own }, { name: "etcd", measure: peer }];
  },
}];
