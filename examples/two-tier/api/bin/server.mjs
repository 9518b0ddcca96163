// The lower tier, for Node and Deno.
import { createServer } from "node:http";
import process from "node:process";

const port = Number(process.env.HARNESS_PORT_HTTP);
let count = 0;

if (process.argv.includes("--check")) {
  const { status } = await fetch(`http://127.0.0.1:${port}/healthz`);
  process.exit(status === 200 ? 0 : 1);
}

createServer((request, response) => {
  if (request.url === "/healthz") return response.end("ok\n");
  response.end(`${++count}\n`);
}).listen(port, () => process.stdout.write(`api listens on port ${port}\n`));
process.on("SIGTERM", () => process.exit(0));
