/** What a client does in each runtime: the same code in Deno, Node, Bun and a browser. */
import { type ConnectOptions, HarnessError, RegistryClient } from "../../src/client/mod.ts";

/** What the guest saw. */
export interface GuestReport {
  /** Items of its stream: kinds, event names and ids. */
  items: string[];
  /** Its statuses, without the attempts to reconnect. */
  statuses: string[];
  /** Error codes of what must fail. */
  errors: Record<string, string>;
  /** How it ended. */
  closed: string;
}

const SERVICE = {
  version: "1.0.0",
  execution: { type: "systemd_service", unit_name: "guest.service" },
} as const;

/**
 * Works with a server, says `ready`, and expects that the server is then killed, started again, and told
 * of a service `after`.
 */
export async function visit(
  url: string,
  options: ConnectOptions,
  ready: () => void,
): Promise<GuestReport> {
  const errors: Record<string, string> = {};
  const fails = async (what: string, promise: Promise<unknown>) => {
    errors[what] = await promise.then(
      () => "succeeded",
      (error) => error instanceof HarnessError ? error.code : String(error),
    );
  };
  await fails("no token", RegistryClient.connect(url, { ...options, token: "wrong" }));
  const statuses: string[] = [];
  const client = await RegistryClient.connect(url, {
    ...options,
    reconnect: { minDelayMs: 20, maxDelayMs: 200 },
    onStatus: ({ type }) => type === "reconnecting" || statuses.push(type),
  });
  await fails("missing", client.getService("missing"));
  await fails("aborted", client.listServices({}, { signal: AbortSignal.abort() }));
  await fails("too large", client.getService("x".repeat(1_000_000)));
  const items: string[] = [];
  const streams = [client.events({ snapshot: true }), client.events({ services: ["after"] })];
  await Promise.all(streams.map((stream) => stream.ready));
  await client.registerService({ ...SERVICE, name: "before" });
  let isReady = false;
  await Promise.all(streams.map(async (stream, index) => {
    for await (const item of stream) {
      if (item.kind === "snapshot") items.push(`${index} snapshot ${item.services.length}`);
      if (item.kind !== "event") continue;
      items.push(`${index} ${item.event} ${item.data.id}`);
      if (!isReady) ready();
      isReady = true;
      if (item.data.id === "after") break;
    }
  }));
  await client.close();
  const { code, error } = await client.closed;
  return {
    items: items.toSorted(),
    statuses: statuses.toSorted(),
    errors,
    closed: `${code} ${error}`,
  };
}
