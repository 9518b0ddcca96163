// deno-lint-ignore-file no-console
/**
 * A registry server on `Bun.serve`, from the library's parts.
 *
 * ```sh
 * bun examples/bun_server.ts 8080           # in a project that has the library
 * ```
 *
 * @module
 */
import process from "node:process";
import { MemoryStore, Registry } from "@harness/service-registry";
import {
  type Admission,
  type ConnectionEvents,
  ConnectionHandler,
} from "@harness/service-registry/server";

/** What a socket carries from its upgrade to its end. */
interface SocketData {
  admission: Admission;
  connection?: ConnectionEvents;
}

/** The part of Bun that is used here; with `@types/bun` this is not needed. */
interface BunSocket {
  readonly data: SocketData;
  send(text: string): number;
  close(code: number, reason: string): void;
  terminate(): void;
  getBufferedAmount(): number;
}
interface BunServer {
  readonly port: number;
  upgrade(request: Request, options: { data: SocketData; headers?: HeadersInit }): boolean;
}
declare const Bun: {
  serve(options: {
    hostname: string;
    port: number;
    fetch(request: Request, server: BunServer): Response | undefined | Promise<Response>;
    websocket: {
      maxPayloadLength: number;
      backpressureLimit: number;
      open(socket: BunSocket): void;
      message(socket: BunSocket, message: string | Uint8Array): void;
      close(socket: BunSocket): void;
    };
  }): BunServer;
};

const registry = await Registry.open(new MemoryStore());
const handler = new ConnectionHandler({ registry });

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.argv[2] ?? 8080),
  fetch(request, server) {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      return handler.respond(request);
    }
    const decision = handler.checkUpgrade(request);
    if (!decision.ok) return decision.response;
    const { admission } = decision;
    const headers: HeadersInit = admission.protocol === null
      ? {}
      : { "sec-websocket-protocol": admission.protocol };
    if (server.upgrade(request, { data: { admission }, headers })) return undefined;
    handler.abandon(admission);
    return new Response("Cannot upgrade\n", { status: 400 });
  },
  websocket: {
    // One byte over the limit reaches the handler, which closes with 1009; Bun itself would use 1006.
    maxPayloadLength: 2 * handler.limits.maxMessageBytes,
    backpressureLimit: 8 * handler.limits.maxSendQueueBytes,
    open(socket) {
      socket.data.connection = handler.open({
        send: (text) => void socket.send(text),
        close: (code, reason) => socket.close(code, reason),
        terminate: () => socket.terminate(),
        bufferedBytes: () => socket.getBufferedAmount(),
      }, socket.data.admission);
    },
    message: (socket, message) => socket.data.connection?.onMessage(message),
    close: (socket) => socket.data.connection?.onClose(),
  },
});
console.log(`listening on ws://127.0.0.1:${server.port}`);
