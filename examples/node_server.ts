// deno-lint-ignore-file no-console
/**
 * A registry server on Node, with `node:http` and `npm:ws`, from the library's parts.
 *
 * ```sh
 * npx tsx examples/node_server.ts 8080      # in a project that has the library and ws
 * ```
 *
 * `serve({ registry, listener: "ws" })` does the same in one line, on Node too; this shows what to do
 * where an HTTP server exists already.
 *
 * @module
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import type { Duplex } from "node:stream";
// @ts-types="@types/ws"
import { type WebSocket, WebSocketServer } from "ws";
import { MemoryStore, Registry } from "@harness/service-registry";
import { type Admission, ConnectionHandler } from "@harness/service-registry/server";

const registry = await Registry.open(new MemoryStore());
const handler = new ConnectionHandler({ registry });
const admissions = new WeakMap<IncomingMessage, Admission>();
const sockets = new WebSocketServer({
  noServer: true,
  maxPayload: handler.limits.maxMessageBytes,
  perMessageDeflate: false,
  // checkUpgrade() has chosen already.
  handleProtocols: (_offered, request) => admissions.get(request)?.protocol ?? false,
});

const server = createServer((message, to) => void respond(message, to));
server.on("upgrade", upgrade);
server.listen(Number(process.argv[2] ?? 8080), "127.0.0.1", () => {
  console.log(`listening on ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

async function respond(message: IncomingMessage, to: ServerResponse): Promise<void> {
  // Without a package store no request has a body that matters.
  const response = await handler.respond(toRequest(message));
  to.writeHead(response.status, Object.fromEntries(response.headers));
  to.end(new Uint8Array(await response.arrayBuffer()));
}

function upgrade(message: IncomingMessage, socket: Duplex, head: Uint8Array): void {
  socket.on("error", () => socket.destroy());
  const decision = handler.checkUpgrade(toRequest(message));
  if (!decision.ok) {
    const { status } = decision.response;
    socket.end(`HTTP/1.1 ${status} Refused\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
    return;
  }
  const { admission } = decision;
  admissions.set(message, admission);
  const abandon = () => handler.abandon(admission);
  socket.once("close", abandon);
  sockets.handleUpgrade(
    message,
    socket,
    head as Parameters<typeof sockets.handleUpgrade>[2],
    (ws) => {
      socket.off("close", abandon);
      attach(ws, admission);
    },
  );
}

function attach(ws: WebSocket, admission: Admission): void {
  const connection = handler.open({
    send: (text) => ws.send(text),
    close: (code, reason) => ws.close(code, reason),
    terminate: () => ws.terminate(),
    bufferedBytes: () => ws.bufferedAmount,
  }, admission);
  ws.on("message", (data, isBinary) => {
    connection.onMessage(isBinary ? data as Uint8Array<ArrayBuffer> : String(data));
  });
  ws.on("error", () => {}); // a close follows
  ws.on("close", () => connection.onClose());
}

function toRequest({ headers, method, url }: IncomingMessage): Request {
  const fields = Object.entries(headers).map(([name, value]) => [name, String(value)]);
  return new Request(new URL(url ?? "/", `http://${headers.host ?? "localhost"}`), {
    method: method === "HEAD" ? "HEAD" : "GET",
    headers: Object.fromEntries(fields),
  });
}
