/** The same on Node, with the `ws` package. */
import { answers } from "./answers.mjs";
import { WebSocketServer } from "ws";

const sockets = new Set();
const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
server.on("connection", (socket) => {
  socket.send(answers.hello);
  socket.on("message", (data) => {
    const { id, action } = JSON.parse(data.toString());
    if (action === "subscribe") sockets.add(socket);
    socket.send(answers.to(id, action));
    if (action === "update_service") { for (const one of sockets) one.send(answers.event); }
  });
  socket.on("close", () => sockets.delete(socket));
});
server.on("listening", () => process.stdout.write(`${server.address().port}\n`));
