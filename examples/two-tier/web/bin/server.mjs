// The upper tier, for Node and Deno.
import { createServer } from "node:http";
import process from "node:process";

const port = Number(process.env.HARNESS_PORT_HTTP);
const api = process.env.API_ADDR;

if (process.argv.includes("--check")) {
  const { status } = await fetch(`http://127.0.0.1:${port}/healthz`);
  process.exit(status === 200 ? 0 : 1);
}
if (api === undefined) {
  process.stderr.write(
    "web: API_ADDR is not set, because no api is registered: deploy api first\n",
  );
  process.exit(1);
}

createServer(async (request, response) => {
  // Not asked of api: were web unhealthy because api is, one failure would take out both.
  if (request.url === "/healthz") return response.end("ok\n");
  try {
    const answer = await fetch(`http://${api}/`, { signal: AbortSignal.timeout(2_000) });
    response.end(`you are visitor ${await answer.text()}`);
  } catch {
    response.writeHead(502).end(`api at ${api} does not answer\n`);
  }
}).listen(port, () => process.stdout.write(`web listens on port ${port}, and asks ${api}\n`));
process.on("SIGTERM", () => process.exit(0));
