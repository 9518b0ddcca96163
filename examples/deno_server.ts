// deno-lint-ignore-file no-console
/**
 * A registry server on `Deno.serve`, from the library's parts. `Deno.serve` itself refuses the WebSocket client of the
 * JDK, which sends `Content-Length: 0`; `serve()` of the library takes it.
 *
 * ```sh
 * deno run --allow-net --allow-env examples/deno_server.ts 8080
 * ```
 *
 * `serve({ registry })` does the same in one line; this shows what to do where a server exists already.
 *
 * @module
 */
import { MemoryStore, Registry } from "@harness/service-registry";
import { type ConnectionEvents, ConnectionHandler } from "@harness/service-registry/server";

const registry = await Registry.open(new MemoryStore());
const handler = new ConnectionHandler({ registry });

Deno.serve({
  hostname: "127.0.0.1",
  port: Number(Deno.args[0] ?? 8080),
  onListen: ({ port }) => console.log(`listening on ws://127.0.0.1:${port}`),
}, (request) => {
  const isUpgrade = request.headers.get("upgrade")?.toLowerCase() === "websocket";
  return isUpgrade ? upgrade(request) : handler.respond(request);
});

function upgrade(request: Request): Response {
  const decision = handler.checkUpgrade(request);
  if (!decision.ok) return decision.response;
  const { admission } = decision;
  const { socket, response } = Deno.upgradeWebSocket(
    request,
    admission.protocol === null ? {} : { protocol: admission.protocol },
  );
  let connection: ConnectionEvents | null = null;
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    connection = handler.open({
      send: (text) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(text);
      },
      close: (code, reason) => {
        if (socket.readyState === WebSocket.OPEN) socket.close(code, reason);
      },
      bufferedBytes: () => socket.bufferedAmount,
    }, admission);
  };
  socket.onmessage = ({ data }) => connection?.onMessage(data);
  socket.onclose = () => {
    if (connection === null) handler.abandon(admission);
    else connection.onClose();
  };
  return response;
}
