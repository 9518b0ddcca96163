// deno-lint-ignore-file no-console
/**
 * A client without any library: Deno, Bun, Node ≥ 22, or a browser's console.
 *
 * ```sh
 * deno run --allow-net examples/plain_client.mjs ws://127.0.0.1:8080
 * ```
 *
 * Prints the services, then every change of state until it is stopped.
 */
import process from "node:process";

const ws = new WebSocket(process.argv[2] ?? "ws://127.0.0.1:8080", ["harness.v1"]);

ws.onopen = () => {
  ws.send(JSON.stringify({ id: "123", type: "request", action: "list_services", params: {} }));
  ws.send(JSON.stringify({
    id: "124",
    type: "request",
    action: "subscribe",
    params: { events: ["service_state_changed"] },
  }));
};

ws.onmessage = ({ data }) => {
  const message = JSON.parse(data);
  if (message.error) return console.error(message.error.code, message.error.message);
  if (message.id === "123") {
    for (const service of message.data) console.log(service.id, service.state);
  } else if (message.id === "124") {
    console.log("subscribed");
  } else if (message.event === "service_state_changed") {
    const { id, old_state, new_state, reason } = message.data;
    console.log(id, old_state, "->", new_state, reason ?? "");
  }
  // Everything else (hello, bookmark, what a later version adds) may be ignored.
};

ws.onclose = ({ code, reason }) => console.log("closed", code, reason);
