/**
 * Finds out why a handshake failed where the runtime does not report it.
 *
 * WebSockets hide the HTTP status of a refused handshake. Over TLS, Deno reports something else: after a refusal over
 * HTTP/1.1 it tries HTTP/2 and reports the result of that. So the same address is requested once more, by HTTP, with
 * the same token and TLS settings.
 *
 * @module
 */
import type { FailureReport } from "./connect_failure.ts";
import { type HttpAnswer, readAnswer } from "./http_answer.ts";
import { CLIENT_PROBE_TIMEOUT_MS } from "./limits.ts";
import type { SocketOptions } from "./websocket.ts";

/** The server expects a WebSocket; the request itself is fine. */
export const UPGRADE_REQUIRED = 426;

/**
 * Requests an address by HTTP, then its `packages/` where the status is 426: a harness-ws-server checks the token of a
 * plain request there.
 *
 * @returns `null` where nothing is known, as in browsers.
 */
export async function probeHandshake(
  url: string,
  options: SocketOptions,
  signal: AbortSignal,
): Promise<HttpAnswer | FailureReport | null> {
  const ask = options.fetch ?? (mayFetch(options) ? globalThis.fetch : null);
  if (ask === null) return null;
  const headers: Record<string, string> = { ...options.headers };
  if (options.token !== undefined) headers["authorization"] = `Bearer ${options.token}`;
  const http = url.replace(/^ws/, "http");
  const init: RequestInit = {
    headers,
    // Otherwise the status would be that of another server.
    redirect: "manual",
    signal: AbortSignal.any([signal, AbortSignal.timeout(CLIENT_PROBE_TIMEOUT_MS)]),
  };
  const first = await statusOf(ask, http, init);
  if (first === null || "text" in first || !isSilent(first.status)) return first;
  const second = await statusOf(ask, packagesOf(http), init);
  const isNews = second !== null && "status" in second && !isSilent(second.status);
  return isNews && second.status !== 404 ? second : first;
}

/** The packages beside a WebSocket; behind a proxy that may be below a path. */
function packagesOf(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname.replace(/\/*$/, "/")}packages/`;
}

/** Whether a status does not explain a refused handshake. */
export function isSilent(status: number): boolean {
  return status === UPGRADE_REQUIRED || (status >= 200 && status < 300);
}

/** A custom WebSocket class may have its own TLS settings, which the global fetch does not know. */
function mayFetch({ webSocket }: SocketOptions): boolean {
  const agent = (globalThis as { navigator?: { userAgent?: string } }).navigator?.userAgent ?? "";
  return webSocket === undefined && /^(Deno|Bun|Node\.js)\//.test(agent);
}

async function statusOf(
  ask: typeof fetch,
  url: string,
  init: RequestInit,
): Promise<HttpAnswer | FailureReport | null> {
  try {
    const response = await ask(url, init);
    return response.status === 0 ? null : await readAnswer(response);
  } catch (error) {
    return reportOf(error);
  }
}

/** Node's fetch puts the error with the code into the cause, Deno's the text that says more. */
function reportOf(error: unknown): FailureReport {
  const texts: string[] = [];
  let code: string | null = null;
  for (let at = error; at instanceof Error; at = at.cause) {
    texts.push(at.message);
    if (code === null && "code" in at && typeof at.code === "string") code = at.code;
  }
  return { code, text: texts.join(": ") };
}
