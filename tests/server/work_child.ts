/**
 * Counts what requests execute: `work_child.ts <services> <requests>`, both as JSON. The engine counts how often each
 * block of our sources runs, so that the figures depend on no clock and no other load. Prints them as JSON.
 *
 * A process of its own: counting would interfere with the coverage of the tests.
 */
import { Session } from "node:inspector";
import { ConnectionHandler } from "../../src/server/handler.ts";
import { Registry } from "../../src/registry/registry.ts";
import { Ownership } from "../../src/server/access/ownership.ts";
import { VouchedEntries } from "../../src/server/access/vouched_entries.ts";
import { COLLECTIONS, type DocumentStore, type Services } from "../../src/server/backends.ts";
import { InstanceMap } from "../../src/server/services/instance_map.ts";
import { Placements } from "../../src/server/services/placements.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";
import { serviceInput } from "../helpers/fixtures.ts";
import { manyServices, type WorkRequest } from "./work_fixture.ts";

interface Coverage {
  result: Array<{ url: string; functions: Array<{ ranges: Array<{ count: number }> }> }>;
}

const SOURCES = new URL("../../src/", import.meta.url).href;
const session = new Session();

function post(method: string, params: object = {}): Promise<object | undefined> {
  return new Promise((resolve, reject) => {
    session.post(
      method,
      params,
      (error, result) => error === null ? resolve(result) : reject(error),
    );
  });
}

/** Blocks executed since the last call. */
async function executed(): Promise<number> {
  const { result } = await post("Profiler.takePreciseCoverage") as Coverage;
  let sum = 0;
  for (const { url, functions } of result) {
    if (!url.startsWith(SOURCES)) continue;
    for (const { ranges } of functions) for (const { count } of ranges) sum += count;
  }
  return sum;
}

const [services = 0, requests = []] = Deno.args.map((arg) => JSON.parse(arg)) as [
  number,
  WorkRequest[],
];
await using registry = await Registry.open(new MemoryStore());
for (const service of manyServices(services)) {
  await registry.register(serviceInput(service.name, service));
}
/** All services were registered with the token, and there are as many that are placed, and as many removed ones. */
const documents: DocumentStore = {
  list(collection) {
    const numbers = Array.from({ length: services }, (_, number) => String(number));
    if (collection === COLLECTIONS.placements) {
      return Promise.resolve(
        numbers.map((id) => ({ id, value: placementOf(`placed-${id}@host`) })),
      );
    }
    const removed = numbers.map((id) => ({ id: `gone-${id}@host`, name: `gone-${id}`, run: id }));
    const ids = registry.list().map(({ id }) => id);
    return Promise.resolve([{ id: "vouched", value: { id: "1", ids, removed } }]);
  },
  put: () => Promise.resolve(),
  remove: () => Promise.resolve(),
};
function placementOf(id: string): object {
  const spec = { name: id.split("@")[0], runDir: "/run/service" };
  return { id, target: "local", place: id, origin: "deployed", spec };
}
const unused = () => Promise.reject(new Error("not asked for"));
await using vouched = await VouchedEntries.load(documents);
const placements = await Placements.load(documents, (id) => registry.ofId(id)?.name);
const ownership = new Ownership({ placements, reserved: new InstanceMap(), vouched });
const managed: Services = { act: unused, logs: unused, async *follow() {}, ownership };
await using handler = new ConnectionHandler({
  registry,
  vouched,
  services: managed,
  limits: { maxRequestsPerSecond: 1_000_000, shutdownTimeoutMs: 0 },
});

let arrived: (frame: string) => void = () => {};
const connect = (access: "full" | "anonymous") =>
  handler.open({ send: (frame) => arrived(frame), close: () => {}, bufferedBytes: () => 0 }, {
    access,
    by: access,
    protocol: null,
  });
const connections = { full: connect("full"), anonymous: connect("anonymous") };

async function ask({ action, params, access = "full" }: WorkRequest): Promise<void> {
  const answer = new Promise<string>((resolve) => {
    arrived = (frame) => frame.startsWith('{"id":"1"') && resolve(frame);
  });
  connections[access].onMessage(JSON.stringify({ id: "1", type: "request", action, params }));
  await answer;
}

session.connect();
await post("Profiler.enable");
await post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
const counts: Record<string, number> = {};
for (const request of requests) {
  const samples: number[] = [];
  for (let round = 0; round < 3; round++) {
    await executed();
    await ask(request);
    samples.push(await executed());
    if (request.undo !== undefined) await ask({ ...request.undo, access: request.access });
  }
  counts[request.title] = Math.max(...samples);
}
for (const connection of Object.values(connections)) connection.onClose();
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(counts)));
