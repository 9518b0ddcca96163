/** What `npm:ws` has besides the WebSocket of browsers, for builtin.mjs. */
import { readFileSync } from "node:fs";
import process from "node:process";
import { WebSocket } from "ws";

const statuses = new WeakMap();

globalThis.harnessWs = {
  open(url, token) {
    const ws = new WebSocket(url, ["harness.v1"], {
      headers: { authorization: `Bearer ${token}` },
      ca: [readFileSync(process.argv[4])],
    });
    ws.on("unexpected-response", (_request, { statusCode }) => {
      statuses.set(ws, statusCode);
      ws.terminate();
    });
    return ws;
  },
  status: (ws) => statuses.get(ws),
  ping(ws) {
    const answered = new Promise((resolve) => ws.once("pong", resolve));
    ws.ping("are you there");
    return answered;
  },
};
await import("./builtin.mjs");
