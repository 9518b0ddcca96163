/** Changes that are on the medium before they are answered. */
import { load, request } from "../load_client.ts";
import { ETCD, hasEtcd, put, startEtcd } from "../peers/etcd.ts";
import { startProduct } from "../product.ts";
import type { Contender, Row } from "../row.ts";

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
  async setUp(scope) {
    await using stack = new AsyncDisposableStack();
    const frame = request("update_service", { name: "service-{n}", version: "1.0.{v}" });
    const server = stack.use(await startProduct(scope, { services: SERVICES }));
    const contenders: Contender[] = [{
      name: "ours",
      measure: () =>
        load(scope, "requests", {
          server,
          connections: CONNECTIONS,
          frame,
          names: SERVICES,
          seconds: 1,
        }),
    }];
    if (await hasEtcd()) {
      const { endpoint } = stack.use(await startEtcd(scope.path("etcd")));
      // Compiles the client, which no round should wait for.
      await put(scope, endpoint, { connections: 1, count: SERVICES, keys: SERVICES });
      contenders.push({
        name: "etcd",
        measure: () =>
          put(scope, endpoint, { connections: CONNECTIONS, keys: SERVICES, seconds: 1 }),
      });
    } else {
      contenders.push({ name: "etcd", needs: ETCD, measure: () => Promise.reject() });
    }
    const all = stack.move();
    return { contenders, [Symbol.asyncDispose]: () => all.disposeAsync() };
  },
}];
