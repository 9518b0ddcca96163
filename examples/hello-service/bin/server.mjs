// The example service, for Node and Deno. bin/server.py is the same for hosts that have only Python.
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { createServer, get } from "node:http";
import process from "node:process";

const read = (path) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8").trim();
const field = (name) => new RegExp(`^${name}: *(\\S+)`, "m").exec(read("manifest.yaml"))?.[1] ?? "";

const port = Number(process.env.HARNESS_PORT_HTTP || 8080);
const name = field("name");
const version = field("version");

function check() {
  const request = get({ host: "127.0.0.1", port, path: "/healthz", agent: false }, (response) => {
    response.setEncoding("utf8");
    let body = "";
    response.on("data", (chunk) => body += chunk);
    response.on("end", () => {
      process.stdout.write(`${response.statusCode} ${body}`);
      process.exit(response.statusCode === 200 ? 0 : 2);
    });
  });
  request.on("error", (error) => {
    process.stderr.write(`hello-service: http://127.0.0.1:${port}/healthz: ${error.message}\n`);
    process.exit(2);
  });
}

function answer(request, response) {
  const send = (status, body) => {
    const text = JSON.stringify(body) + "\n";
    response.writeHead(status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
    });
    response.end(request.method === "HEAD" ? "" : text);
  };
  const path = (request.url ?? "/").split("?")[0];
  if (path === "/healthz") {
    return process.env.HELLO_UNHEALTHY
      ? send(503, { status: "unhealthy", reason: "HELLO_UNHEALTHY is set" })
      : send(200, { status: "ok" });
  }
  if (path !== "/") return send(404, { error: `nothing at ${path}` });
  const greeting = process.env.GREETING || read("config/greeting.txt");
  send(200, { name, version, greeting, pid: process.pid });
}

function serve() {
  const server = createServer(answer);
  server.on("error", (error) => {
    process.stderr.write(`hello-service: cannot listen on port ${port}: ${error.message}\n`);
    process.exit(1);
  });
  server.listen(port, () => {
    process.stdout.write(`hello-service ${version} listening on port ${server.address().port}\n`);
  });
  for (const signal of ["SIGTERM", "SIGINT"]) {
    process.on(signal, () => {
      process.stdout.write(`hello-service ${version} stopping: ${signal}\n`);
      server.close(() => process.exit(0));
      server.closeIdleConnections();
      setTimeout(() => process.exit(0), 2000).unref();
    });
  }
}

if (process.argv.includes("--check")) check();
else serve();
