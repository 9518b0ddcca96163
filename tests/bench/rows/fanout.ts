/** One publisher, 1,000 subscribers: events delivered, beside bare servers. */
import { bareContenders } from "../bare.ts";
import { load, request } from "../load_client.ts";
import { recorded, startProduct } from "../product.ts";
import type { Figures, Row, Target } from "../row.ts";
import type { Running, Scope } from "../scope.ts";

const SUBSCRIBERS = 1000;
/** Events that have not reached everybody: the publisher sends the next when the oldest has. */
const UNDER_WAY = 32;

async function measure(scope: Scope, server: Running & { port: number }): Promise<Figures> {
  return await load(scope, "fanout", {
    server,
    connections: SUBSCRIBERS,
    inFlight: UNDER_WAY,
    subscribe: request("subscribe", { events: ["service_updated"] }),
    frame: request("update_service", { name: "service-00", version: "1.0.{v}" }),
    seconds: 0.8,
  });
}

function target(title: string, figure: string, peer: string, atLeast?: number): Target {
  return { title, unit: "/s", figure, peer, ...(atLeast === undefined ? {} : { atLeast }) };
}

/** Row 5. */
export const rows: readonly Row[] = [{
  number: 5,
  name: "fan-out",
  limit: "a write to every socket, on one thread; durable changes come from the disk",
  targets: [
    target("events to 1,000 subscribers", "ours.rate", "bare Deno.rate", 0.95),
    target("… beside Node ws", "ours.rate", "Node ws.rate", 1),
    target("… beside Bun", "ours.rate", "Bun.rate"),
  ],
  async setUp(scope, stack) {
    const ours = stack.use(await startProduct(scope, { services: 100 }));
    const bare = await bareContenders(scope, {
      kinds: ["deno", "node", "bun"],
      answers: await recorded(ours, { subscribe: { events: ["service_updated"] } }),
      stack,
      measure: (server) => measure(scope, server),
    });
    return [{ name: "ours", measure: () => measure(scope, ours) }, ...bare];
  },
}];
