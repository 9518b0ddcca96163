/**
 * What a server answers where the runtime does not tell why a handshake failed.
 *
 * WebSockets do not show scripts the status of a refused handshake. Over TLS Deno even reports something
 * else: it tries HTTP/2 after a refusal over HTTP/1.1 and shows what became of that. So the same address is
 * asked once more, by HTTP, with the same token and the same TLS settings.
 *
 * @module
 */
import { CLIENT_PROBE_TIMEOUT_MS } from "./limits.ts";
import type { SocketOptions } from "./websocket.ts";

/** What was found out. */
export interface ProbedAnswer {
  /** The HTTP status; 426 and 2xx say no more than that a server is there. */
  readonly status: number;
  /** Where a redirect leads, or `null`. */
  readonly location: string | null;
}

/** The status of a server that wants a WebSocket: it has nothing against the request itself. */
const UPGRADE_REQUIRED = 426;

/**
 * Asks an address by HTTP, and its `packages/` where it only says that it wants a WebSocket: that is where
 * a harness-ws-server checks the token of a plain request.
 *
 * @returns `null` where nothing answers, and in browsers, which do not show the answer either.
 */
export async function probeHandshake(
  url: string,
  options: SocketOptions,
  signal: AbortSignal,
): Promise<ProbedAnswer | null> {
  const ask = options.fetch ?? (mayAsk(options) ? globalThis.fetch : null);
  if (ask === null) return null;
  const headers: Record<string, string> = { ...options.headers };
  if (options.token !== undefined) headers["authorization"] = `Bearer ${options.token}`;
  const http = url.replace(/^ws/, "http");
  const init: RequestInit = {
    headers,
    // Followed, it would give the status of somebody else.
    redirect: "manual",
    signal: AbortSignal.any([signal, AbortSignal.timeout(CLIENT_PROBE_TIMEOUT_MS)]),
  };
  const first = await statusOf(ask, http, init);
  if (first === null || !isSilent(first.status)) return first;
  const second = await statusOf(ask, new URL("packages/", http).href, init);
  return second === null || isSilent(second.status) || second.status === 404 ? first : second;
}

/** Whether a status tells nothing of why a handshake was refused. */
export function isSilent(status: number): boolean {
  return status === UPGRADE_REQUIRED || (status >= 200 && status < 300);
}

/** A class of the caller's own has TLS settings of its own: only the caller can say how to fetch with them. */
function mayAsk({ webSocket }: SocketOptions): boolean {
  const agent = (globalThis as { navigator?: { userAgent?: string } }).navigator?.userAgent ?? "";
  return webSocket === undefined && /^(Deno|Bun|Node\.js)\//.test(agent);
}

async function statusOf(
  ask: typeof fetch,
  url: string,
  init: RequestInit,
): Promise<ProbedAnswer | null> {
  try {
    const response = await ask(url, init);
    await response.body?.cancel();
    if (response.status === 0) return null;
    return { status: response.status, location: response.headers.get("location") };
  } catch {
    return null; // the failure of the handshake itself says why
  }
}
