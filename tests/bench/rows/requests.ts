/** Requests that read, beside bare servers that send the same bytes. */
import { bareContenders } from "../bare.ts";
import { load, request } from "../load_client.ts";
import { recorded, startProduct } from "../product.ts";
import type { Figures, Row, Target } from "../row.ts";
import type { Running } from "../scope.ts";

interface Case {
  readonly number: number;
  readonly action: string;
  /** Parameters; `{n}` is a number below 100. */
  readonly params: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly limit: string;
  readonly targets: readonly Target[];
}

/** A row that asks one thing of all servers in turn. */
function requestRow({ number, action, params, connections, limit, targets }: Case): Row {
  return {
    number,
    name: action,
    limit,
    targets,
    async setUp(scope, stack) {
      const ours = stack.use(await startProduct(scope, { services: 1000 }));
      const one = Object.entries(params).map(([key, value]) => [key, value.replace("{n}", "07")]);
      const answers = await recorded(ours, { [action]: Object.fromEntries(one) });
      const frame = request(action, params);
      const measure = (server: Running & { port: number }): Promise<Figures> =>
        load(scope, "requests", {
          server,
          connections,
          frame,
          names: 100,
          seconds: 0.8,
        });
      const bare = await bareContenders(scope, {
        kinds: action === "get_service" ? ["deno", "node", "bun"] : ["deno", "node"],
        answers,
        stack,
        measure,
      });
      return [{ name: "ours", measure: () => measure(ours) }, ...bare];
    },
  };
}

/** Rows 3 and 4. */
export const rows: readonly Row[] = [
  requestRow({
    number: 3,
    action: "list_services",
    params: {},
    connections: 32,
    limit: "copying 520 kB an answer through the runtime and the kernel",
    targets: [
      {
        title: "list_services of 1,000, 32 connections",
        unit: "/s",
        figure: "ours.rate",
        peer: "bare Deno.rate",
        atLeast: 0.8,
      },
      {
        title: "… p99",
        unit: "ms",
        figure: "ours.p99_ms",
        peer: "bare Deno.p99_ms",
        atMost: 1.5,
      },
      {
        title: "… beside Node ws",
        unit: "/s",
        figure: "ours.rate",
        peer: "Node ws.rate",
        atLeast: 1,
      },
    ],
  }),
  requestRow({
    number: 4,
    action: "get_service",
    params: { name: "service-{n}" },
    connections: 64,
    limit: "the runtime's work for a frame in and a frame out, on one thread",
    targets: [
      {
        title: "get_service, 64 connections",
        unit: "/s",
        figure: "ours.rate",
        peer: "bare Deno.rate",
        atLeast: 0.9,
      },
      {
        title: "… beside Node ws",
        unit: "/s",
        figure: "ours.rate",
        peer: "Node ws.rate",
        atLeast: 1,
      },
      {
        title: "… beside Bun",
        unit: "/s",
        figure: "ours.rate",
        peer: "Bun.rate",
      },
    ],
  }),
];
