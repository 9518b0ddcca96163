/**
 * What Deno's own sockets can do when nothing is between: no checks, no limits, nothing on disk. Sends the bytes that
 * the product sends; prints its port.
 */
import { answers } from "./answers.mjs";

const sockets = new Set<WebSocket>();
const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
  const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
  socket.onopen = () => socket.send(answers.hello);
  socket.onmessage = ({ data }) => {
    const { id, action } = JSON.parse(data);
    if (action === "subscribe") sockets.add(socket);
    socket.send(answers.to(id, action));
    if (action === "update_service") { for (const one of sockets) one.send(answers.event); }
  };
  socket.onclose = () => sockets.delete(socket);
  return response;
});
Deno.stdout.writeSync(new TextEncoder().encode(`${server.addr.port}\n`));
