// deno-lint-ignore-file no-console
/** The scenario of clients.ts with the WebSocket that is built in, and with `npm:ws`, which has the same interface. */
import process from "node:process";

const [url, token] = process.argv.slice(2);

/** What a library for servers has besides: headers, the status of a refusal, pings. */
const library = globalThis.harnessWs;

function open(token) {
  if (library !== undefined) return library.open(url, token);
  const encoded = btoa(token).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return new WebSocket(url, ["harness.v1", `harness.token.${encoded}`]);
}

const refused = open("a-wrong-token-of-some-length");
await new Promise((resolve) => refused.onerror = resolve);
console.log(`refused ${library === undefined ? "" : await library.status(refused)}`.trim());

const ws = open(token);
const waiting = [];
const seen = [];
const closed = new Promise((resolve) => ws.onclose = ({ code }) => resolve(code));
ws.onmessage = ({ data }) => {
  seen.push(JSON.parse(data));
  for (const look of [...waiting]) look();
};
await new Promise((resolve) => ws.onopen = resolve);
console.log("connected", ws.protocol);

function take(test) {
  return new Promise((resolve) => {
    const look = () => {
      const at = seen.findIndex(test);
      if (at === -1) return;
      waiting.splice(waiting.indexOf(look), 1);
      resolve(seen.splice(0, at + 1).at(-1));
    };
    waiting.push(look);
    look();
  });
}

async function request(id, action, params = {}) {
  ws.send(JSON.stringify({ id, type: "request", action, params }));
  return (await take((message) => message.id === id)).data;
}

await take((message) => message.event === "hello");
console.log("hello");
const services = await request("1", "list_services");
console.log("listed", services.filter(({ name }) => name === "big").length);
await request("2", "subscribe");
const name = "built-in";
const execution = { type: "managed_process", command: "/bin/true" };
const event = take((message) => message.event === "service_registered");
ws.send(JSON.stringify({
  id: "3",
  type: "request",
  action: "register_service",
  params: { service: { name, version: "1", execution } },
}));
await event;
console.log("event");
await request("4", "get_service", { name, padding: "x".repeat(1024 * 1024) });
console.log("sent a MiB");
if (library !== undefined) {
  await library.ping(ws);
  console.log("pong");
}
await take((message) => message.event === "bookmark");
console.log("bookmark");
ws.send("nonsense");
console.log("closed", await closed);
process.exit();
