/** The same on Bun, whose server has topics. */
import { answers } from "./answers.mjs";

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request, server) =>
    server.upgrade(request) ? undefined : new Response(null, { status: 426 }),
  websocket: {
    idleTimeout: 0,
    open: (socket) => void socket.send(answers.hello),
    message(socket, data) {
      const { id, action } = JSON.parse(data);
      if (action === "subscribe") socket.subscribe("events");
      socket.send(answers.to(id, action));
      if (action === "update_service") server.publish("events", answers.event);
    },
  },
});
process.stdout.write(`${server.port}\n`);
