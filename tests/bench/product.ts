/** The product as a user starts it, with some services in it. */
import { PERMISSIONS, V8_FLAGS } from "../../.ci/compile.ts";
import { load, request } from "./load_client.ts";
import type { Running, Scope } from "./scope.ts";
import { RawClient } from "../helpers/raw_client.ts";

/** Options for {@linkcode startProduct}. */
export interface ProductOptions {
  /** Services to begin with, `service-00`, `service-01` and so on. @default {0} */
  readonly services?: number;
  /** Further flags of `serve`. */
  readonly flags?: readonly string[];
  /** What it may do. @default {what it may as it is installed} */
  readonly permissions?: readonly string[];
  /** Further flags of `deno run`. */
  readonly runtimeFlags?: readonly string[];
  /** Further environment variables. */
  readonly env?: Record<string, string>;
  /** State directory to begin with instead of `services`; it is used as it is. */
  readonly stateDir?: string;
}

/** A server that runs. */
export interface Product extends Running {
  readonly url: string;
  readonly port: number;
  readonly stateDir: string;
}

/** The program. */
const MAIN = new URL("../../src/cli/main.ts", import.meta.url).pathname;

/** The arguments of `deno` that start the program as it is installed, with further flags of `deno run`. */
export function programArgs(
  runtimeFlags: readonly string[] = [],
  permissions: readonly string[] = PERMISSIONS,
): string[] {
  return ["run", ...permissions, V8_FLAGS, ...runtimeFlags, MAIN];
}

/**
 * One connection may ask 1,000 times a second by default, which is what would be measured then. All other limits and
 * the durability are as they come.
 */
const FLAGS = ["--listen=127.0.0.1:0", "--log-level=warning", "--max-requests-per-second=10000000"];

/** Starts `serve` with a state directory of its own. */
export async function startProduct(scope: Scope, options: ProductOptions = {}): Promise<Product> {
  const { services = 0, flags = [], runtimeFlags = [], permissions } = options;
  const stateDir = options.stateDir ?? scope.path("state");
  if (services > 0 && options.stateDir === undefined) {
    await scope.run("cp", ["-R", await stateWith(scope, services), stateDir]);
  }
  const running = await scope.start(Deno.execPath(), [
    ...programArgs(runtimeFlags, permissions),
    ...["serve", ...FLAGS, `--state-dir=${stateDir}`, ...flags],
  ], { env: { XDG_RUNTIME_DIR: scope.path("run"), ...options.env } });
  const url = running.line.match(/ws:\/\/\S+/)?.[0];
  if (url === undefined) throw new Error(`not the ready line: ${running.line}`);
  return Object.assign(running, { url, port: Number(new URL(url).port), stateDir });
}

const states = new Map<number, Promise<string>>();

/** A state directory with so many services (a multiple of ten), made once in a run; copy it. */
export function stateWith(scope: Scope, services: number): Promise<string> {
  let made = states.get(services);
  if (made === undefined) states.set(services, made = seed(scope, services));
  return made;
}

/** Names are `service-00` to `service-09`, `service-10` and so on; each ten depend on their first. */
async function seed(scope: Scope, services: number): Promise<string> {
  // Nobody measures this, and a clean stop leaves the same files.
  await using server = await startProduct(scope, { flags: ["--durability=async"] });
  const service = (name: string, dependsOn: string[]) => ({
    name,
    version: "1.0.0",
    execution: { type: "systemd_service", unit_name: "api.service" },
    endpoints: [{ name: "http", address: "10.0.0.1:8080", protocol: "http", metadata: {} }],
    labels: { env: "prod", team: "payments" },
    depends_on: dependsOn,
  });
  // Ten runs, one for each last digit; {v} counts the requests of a run.
  for (let digit = 0; digit < 10; digit++) {
    const frame = request("register_service", {
      service: service(`service-{v}${digit}`, digit === 0 ? [] : ["service-{v}0"]),
    });
    const count = services / 10;
    await load(scope, "requests", {
      server,
      connections: 8,
      inFlight: 32,
      count,
      frame,
    });
  }
  return server.stateDir;
}

/** Answers of the product, as the bare servers send them: `data` by action, and an event. */
export async function recorded(
  { url }: Product,
  actions: Readonly<Record<string, unknown>>,
): Promise<{ data: Record<string, string>; event: string }> {
  await using client = await RawClient.ready(url);
  const data: Record<string, string> = {};
  for (const [action, params] of Object.entries(actions)) {
    data[action] = JSON.stringify(await client.call(action, params));
  }
  await client.call("subscribe", { events: ["service_updated"] });
  await client.call("update_service", { name: "service-00", version: `recorded-${Date.now()}` });
  const event = await client.take((frame) => frame["event"] === "service_updated", "the event");
  return { data, event: JSON.stringify(event) };
}
