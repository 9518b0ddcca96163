/** What a request costs when the registry is large: each store size beside the smallest, and beside get_service. */
import { load, request } from "../load_client.ts";
import { type Product, startProduct } from "../product.ts";
import type { Contender, Row, Target } from "../row.ts";
import type { Scope } from "../scope.ts";

const SIZES = [100, 10_000, 100_000];

/** What is asked: of every store, by a number of connections. */
interface Asked {
  readonly name: string;
  readonly connections: number;
  readonly frame: string;
}

const GET_SERVICE: Asked = {
  name: "get_service",
  connections: 64,
  frame: request("get_service", { name: "service-{n}" }),
};
const GET_DEPENDENCIES: Asked = {
  name: "get_dependencies",
  connections: 64,
  frame: request("get_dependencies", { name: "service-{n}" }),
};
const LIST: Asked = {
  name: "list_services of 100",
  connections: 32,
  frame: request("list_services", { limit: 100 }),
};
const CHANGE: Asked = {
  name: "durable change",
  connections: 64,
  frame: request("update_service", { name: "service-{n}", version: "3.0.{v}" }),
};

function size(services: number): string {
  return services < 1000 ? String(services) : `${services / 1000}k`;
}

const ASKED = [GET_SERVICE, GET_DEPENDENCIES, LIST, CHANGE];

/** Servers of all sizes; each is asked the same in turn. */
async function setUp(scope: Scope, stack: AsyncDisposableStack): Promise<Contender[]> {
  const contenders: Contender[] = [];
  const servers = new Map<number, Product>();
  for (const services of SIZES) {
    servers.set(services, stack.use(await startProduct(scope, { services })));
  }
  for (const { name, connections, frame } of ASKED) {
    for (const [services, server] of servers) {
      const options = { server, connections, frame, names: services, seconds: 0.5 };
      contenders.push({
        name: `${name} at ${size(services)}`,
        measure: () => load(scope, "requests", options),
      });
    }
  }
  return contenders;
}

function besideGetService(services: number): Target {
  const of = size(services);
  return {
    title: `get_dependencies, ${of} services`,
    unit: "/s",
    figure: `get_dependencies at ${of}.rate`,
    peer: `get_service at ${of}.rate`,
    atLeast: 0.5,
  };
}

/** Flat within 20 %. */
function flat({ name }: Asked): Target[] {
  const [smallest = 0, ...larger] = SIZES.map(size);
  return larger.map((of) => ({
    title: `${name}, ${of} services`,
    unit: "/s",
    figure: `${name} at ${of}.rate`,
    peer: `${name} at ${smallest}.rate`,
    atLeast: 0.8,
  }));
}

/** Row 2, and the growth of rows 2, 3, 4 and 6. */
export const rows: readonly Row[] = [{
  number: 2,
  name: "get_dependencies",
  limit: "the same as get_service, and an answer to put together",
  targets: SIZES.slice(1).map(besideGetService),
  setUp,
}, {
  number: 16,
  name: "growth",
  limit: "the same as rows 2, 3, 4 and 6",
  targets: ASKED.flatMap(flat),
  setUp,
}];
