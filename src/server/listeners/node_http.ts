/**
 * `node:http` messages as web-standard ones, so that one handler does for all.
 *
 * @module
 */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";

/** A web `Request` for a node one, or `null` when its URL or its Host is invalid. */
export function toRequest(message: IncomingMessage, secure: boolean): Request | null {
  const host = message.headers.host ?? "localhost";
  // A Host like `a/packages/x?` would move the path that was asked for, and so would an empty one.
  if (host === "" || /[/\\?#@]/.test(host)) return null;
  const path = pathOf(message.url ?? "", host);
  const url = `${secure ? "https" : "http"}://${host}${path}`;
  if (!path.startsWith("/") || !URL.canParse(url)) return null;
  const headers = new Headers();
  let hosts = 0;
  for (let at = 0; at + 1 < message.rawHeaders.length; at += 2) {
    const name = message.rawHeaders[at] ?? "";
    if (name.toLowerCase() === "host") hosts++;
    headers.append(name, message.rawHeaders[at + 1] ?? "");
  }
  if (hosts > 1) return null; // what is before this server may have read the other (RFC 9112, 3.2)
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

/** The path of a target that may be in absolute form (RFC 9112, 3.2.2), if it names the host that `Host` does. */
function pathOf(target: string, host: string): string {
  const [start = ""] = /^https?:\/\//i.exec(target) ?? [];
  if (start === "") return target;
  const end = start.length + host.length;
  if (target.slice(start.length, end).toLowerCase() !== host.toLowerCase()) return "";
  return target.slice(end) || "/";
}

/**
 * Sends a web `Response`, and drops a peer that reads nothing for `stallMs`. After an upload the connection is
 * not reused: a refused body may follow.
 */
export async function writeResponse(
  to: ServerResponse,
  response: Response,
  stallMs: number,
): Promise<void> {
  const headers = Object.fromEntries(response.headers);
  const mayHaveRest = to.req.method !== "GET" && to.req.method !== "HEAD";
  to.writeHead(response.status, { ...headers, ...(mayHaveRest ? { connection: "close" } : {}) });
  try {
    for await (const chunk of response.body ?? []) {
      if (to.destroyed) return;
      if (!to.write(chunk)) await drained(to, stallMs);
    }
    to.end();
  } catch {
    to.destroy(); // the source failed after the head was sent: the client must not take it for whole
  }
}

/** Resolves when more may be written, or when the socket is closed. */
function drained(to: ServerResponse, stallMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => to.destroy(), stallMs);
    const done = () => {
      clearTimeout(timer);
      to.off("drain", done);
      to.off("close", done);
      resolve();
    };
    to.on("drain", done);
    to.on("close", done);
  });
}

/** Sends a web `Response` on a socket whose upgrade was refused, and closes it. */
export async function writeRawResponse(socket: Duplex, response: Response): Promise<void> {
  const body = new Uint8Array(await response.arrayBuffer());
  const head = [`HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? "Refused"}`];
  for (const [name, value] of response.headers) {
    if (name !== "connection") head.push(`${name}: ${value}`);
  }
  head.push(`content-length: ${body.length}`, "connection: close", "", "");
  socket.write(head.join("\r\n"));
  socket.end(body);
}

/** The body of a message. Not `Readable.toWeb()`: in Deno 2.9 that throws an uncatchable error once cancelled. */
function bodyOf(message: IncomingMessage): ReadableStream<Uint8Array> {
  const chunks: AsyncIterator<Uint8Array> = message.iterator({ destroyOnReturn: false });
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await chunks.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await chunks.return?.();
    },
  }, { highWaterMark: 0 });
}
