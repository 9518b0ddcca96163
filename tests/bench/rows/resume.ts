/** After an interruption all clients come back at once, and each has missed something. */
import { RawClient } from "../../helpers/raw_client.ts";
import { load, request } from "../load_client.ts";
import { type Product, startProduct } from "../product.ts";
import type { Figures, Row } from "../row.ts";
import type { Scope } from "../scope.ts";

const CLIENTS = 5000;
const MISSED = 100;

async function measure(scope: Scope, server: Product): Promise<Figures> {
  await using client = await RawClient.ready(server.url);
  const { epoch, seq } = await client.call("subscribe", { events: ["service_updated"] });
  await client.call("unsubscribe", {});
  const since = { epoch, seq: seq - MISSED };
  return await load(scope, "resume", {
    server,
    connections: CLIENTS,
    events: MISSED,
    subscribe: request("subscribe", { events: ["service_updated"], since }),
  });
}

async function start(scope: Scope): Promise<Product> {
  const server = await startProduct(scope, { services: 1000 });
  const frame = request("update_service", { name: "service-{n}", version: "2.0.{v}" });
  await load(scope, "requests", {
    server,
    connections: 1,
    inFlight: 32,
    count: 1000,
    names: 100,
    frame,
  });
  return server;
}

/** Row 13. */
export const rows: readonly Row[] = [{
  number: 13,
  name: "resume",
  limit: "5,000 handshakes and 500,000 events to 5,000 sockets, on one thread",
  targets: [
    {
      title: "5,000 clients come back, each missed 100 events",
      unit: "s",
      figure: "ours.seconds",
      atMost: 2,
    },
    { title: "… a new connection meanwhile, p99", unit: "ms", figure: "ours.p99_ms", atMost: 100 },
  ],
  async setUp(scope, stack) {
    const ours = stack.use(await start(scope));
    return [{ name: "ours", measure: () => measure(scope, ours) }];
  },
}];
