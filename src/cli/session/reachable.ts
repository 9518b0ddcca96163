/**
 * Waits until endpoints accept connections.
 *
 * @module
 */
import { connect } from "node:net";
import type { EndpointInput } from "../../model/service.ts";
import { sleep } from "../../util/async.ts";

/** Pause between two attempts: a service that has just begun to listen is found quickly. */
const PAUSE_MS = 100;
/** Longest wait for one connection. */
const CONNECT_MS = 2_000;

/** Waits until all endpoints but those of UDP accept connections; `false` when `signal` fires before. */
export async function untilReachable(
  endpoints: readonly EndpointInput[],
  signal: AbortSignal,
): Promise<boolean> {
  for (const { address, protocol } of endpoints) {
    if (protocol === "udp") continue;
    while (!await accepts(address)) {
      if (!await sleep(PAUSE_MS, signal)) return false;
    }
  }
  return !signal.aborted;
}

function accepts(address: string): Promise<boolean> {
  const at = address.lastIndexOf(":");
  const host = address.slice(0, at).replace(/^\[(.*)\]$/, "$1");
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(address.slice(at + 1)) });
    const done = (isOpen: boolean) => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.setTimeout(CONNECT_MS, () => done(false));
    socket.once("connect", () => done(true));
    socket.once("error", () => done(false));
  });
}
