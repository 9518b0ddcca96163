/**
 * `node:http` messages as web-standard ones, so that both listeners share one handler.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Duplex, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";

/** A web `Request` for a node one, or `null` when its URL makes no sense. */
export function toRequest(message: IncomingMessage, secure: boolean): Request | null {
  const url = `${secure ? "https" : "http"}://${message.headers.host ?? "localhost"}${message.url}`;
  if (message.url?.startsWith("/") !== true || !URL.canParse(url)) return null;
  const headers = new Headers();
  for (let at = 0; at + 1 < message.rawHeaders.length; at += 2) {
    headers.append(message.rawHeaders[at] ?? "", message.rawHeaders[at + 1] ?? "");
  }
  const method = message.method ?? "GET";
  const hasBody = method !== "GET" && method !== "HEAD";
  try {
    return new Request(url, {
      method,
      headers,
      ...(hasBody ? { body: bodyOf(message), duplex: "half" } : {}),
    });
  } catch {
    return null; // TRACE and its like
  }
}

/** Sends a web `Response`. After an upload the connection is not used again: a refused body may follow. */
export async function writeResponse(to: ServerResponse, response: Response): Promise<void> {
  const headers = Object.fromEntries(response.headers);
  const mayHaveRest = to.req.method !== "GET" && to.req.method !== "HEAD";
  to.writeHead(response.status, { ...headers, ...(mayHaveRest ? { connection: "close" } : {}) });
  try {
    if (response.body === null) to.end();
    else await pipeline(Readable.fromWeb(response.body as NodeReadableStream), to);
  } catch {
    to.destroy(); // the client left, or the source failed after the head was sent
  }
}

/** Sends a web `Response` on a socket that was to be upgraded, and closes it. */
export async function writeRawResponse(socket: Duplex, response: Response): Promise<void> {
  const body = new Uint8Array(await response.arrayBuffer());
  const head = [`HTTP/1.1 ${response.status} ${STATUS_TEXT[response.status] ?? "Refused"}`];
  for (const [name, value] of response.headers) {
    if (name !== "connection") head.push(`${name}: ${value}`);
  }
  head.push(`content-length: ${body.length}`, "connection: close", "", "");
  socket.write(head.join("\r\n"));
  socket.end(body);
}

const STATUS_TEXT: Record<number, string> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  426: "Upgrade Required",
  503: "Service Unavailable",
};

function bodyOf(message: IncomingMessage): ReadableStream<Uint8Array> {
  return Readable.toWeb(message) as ReadableStream<Uint8Array>;
}
