/** Changes that are on the medium before they are answered. */
import { load, request } from "../load_client.ts";
import { ETCD, put, startEtcd } from "../peers/etcd.ts";
import { startProduct } from "../product.ts";
import { absent, type Contender, type Row } from "../row.ts";

const CONNECTIONS = 64;
const SERVICES = 1000;

/** Row 6; its growth is in `growth.ts`. */
export const rows: readonly Row[] = [{
  number: 6,
  name: "durable_change",
  limit: "one sync of the disk for all that wait, and two processors for server and clients",
  targets: [
    {
      title: "update_service, 64 connections, synced",
      unit: "/s",
      figure: "ours.rate",
      peer: "etcd.rate",
      atLeast: 1.5,
    },
    { title: "… p99", unit: "ms", figure: "ours.p99_ms", peer: "etcd.p99_ms", atMost: 1 },
  ],
  async setUp(scope, stack) {
    const frame = request("update_service", { name: "service-{n}", version: "1.0.{v}" });
    const server = stack.use(await startProduct(scope, { services: SERVICES }));
    const ours: Contender = {
      name: "ours",
      measure: () =>
        load(scope, "requests", {
          server,
          connections: CONNECTIONS,
          frame,
          names: SERVICES,
          seconds: 1,
        }),
    };
    if (!await scope.has(ETCD)) return [ours, absent("etcd", ETCD)];
    const { endpoint } = stack.use(await startEtcd(scope.path("etcd")));
    // Compiles the client, which no round should wait for.
    await put(scope, endpoint, { connections: 1, count: SERVICES, keys: SERVICES });
    const options = { connections: CONNECTIONS, keys: SERVICES, seconds: 1 };
    return [ours, { name: "etcd", measure: () => put(scope, endpoint, options) }];
  },
}];
