/** F10: what a proxy answers by itself is named, never shown raw, and has a stable code. */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { Duplex } from "node:stream";
import { RegistryClient } from "../../src/client/mod.ts";
import { answerError } from "../../src/client/http_answer.ts";
import { runHere, startServer } from "../helpers/cli.ts";
import { buildHello } from "../helpers/hello_package.ts";
import { buildLarge } from "./proxies_fixture.ts";
import { startServer as startTestServer } from "../helpers/test_server.ts";
import { tempDir } from "../helpers/temp_dir.ts";

/** How the proxy of the test answers an upload. */
type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A proxy that passes WebSockets on and answers everything else by itself. */
async function proxyTo(
  backend: string,
): Promise<{ url: string; answer: Answer } & AsyncDisposable> {
  const { hostname, port } = new URL(backend);
  const sockets = new Set<Duplex>();
  const proxy = {
    url: "",
    answer: (() => {}) as Answer,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
        for (const socket of sockets) socket.destroy();
      });
    },
  };
  const server = createServer((request, response) => proxy.answer(request, response));
  server.on("upgrade", (request: IncomingMessage, socket: Duplex) => {
    const to = connect(Number(port), hostname);
    const head = [`GET / HTTP/1.1`, `host: ${hostname}:${port}`];
    for (const [name, value] of Object.entries(request.headers)) {
      if (name !== "host") head.push(`${name}: ${value}`);
    }
    to.write(head.join("\r\n") + "\r\n\r\n");
    to.on("error", () => socket.destroy());
    socket.on("error", () => to.destroy());
    sockets.add(to).add(socket);
    socket.pipe(to).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  proxy.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return proxy;
}

const PAGE = "<html><script>alert(1)</script>\x1b[2J</html>";

/** Status, `Server` header, what the error names, and its code. */
const ANSWERS: ReadonlyArray<[number, string, RegExp, string]> = [
  [
    200,
    "nginx",
    /HTTP status 200 from nginx; .*no answer of a harness-ws-server/,
    "invalid_request",
  ],
  [301, "nginx", /redirects to https:\/\/login\.test\/in;/, "invalid_request"],
  [302, "x", /redirects to https:\/\/login\.test\/in;/, "invalid_request"],
  [400, "nginx/1.22.1", /TLS/, "invalid_request"],
  [401, "nginx", /requires a login of its own/, "unauthorized"],
  [403, "cloudflare", /403 from cloudflare; a proxy before the server refuses/, "forbidden"],
  [404, "Caddy", /no harness-ws-server at this path/, "unreachable"],
  [405, "nginx", /does not allow this method/, "invalid_request"],
  [407, "squid", /requires authentication/, "unauthorized"],
  [408, "nginx", /waited too long/, "timeout"],
  [413, "nginx/1.22.1", /413 from nginx\/1\.22\.1; .*client_max_body_size/, "too_large"],
  [413, "Caddy", /413 from Caddy; .*request_body max_size/, "too_large"],
  [413, "Apache/2.4", /LimitRequestBody/, "too_large"],
  [413, "unheard-of", /raise its limit \(nginx: client_max_body_size\)/, "too_large"],
  [418, "teapot", /is it a harness-ws-server/, "invalid_request"],
  [429, "envoy", /limits requests/, "rate_limited"],
  [500, "nginx", /has failed/, "unavailable"],
  [502, "nginx", /cannot reach the server/, "unavailable"],
  [503, "haproxy", /no server to send the request to/, "unavailable"],
  [504, "nginx", /does not respond/, "unavailable"],
  [520, "cloudflare", /has failed/, "unavailable"],
];

Deno.test("upload: each answer of a proxy is named by its error", async () => {
  await using dir = await tempDir();
  const { path } = await buildHello(dir.path, { version: "1.0.0", port: 1 });
  await using server = await startServer();
  await using proxy = await proxyTo(server.url);
  const token = ["--token-file", `${server.stateDir}/token`];
  const push = () => runHere(["package", "push", path, "--url", proxy.url, "--json", ...token]);
  for (const [status, name, words, code] of ANSWERS) {
    proxy.answer = (request, response) => {
      request.resume();
      const location = "https://login.test/in?secret=1";
      response.writeHead(status, { server: name, location, "content-type": "text/html" });
      response.end(PAGE);
    };
    const { stdout, stderr } = await push();
    const { error } = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
    assert.equal(error.code, code, `${status}: ${stderr}`);
    assert.match(error.message, words);
    assert.equal(error.details.status, status);
    assert.equal(error.details.server, name);
    assert.doesNotMatch(stdout + stderr, /script|\[2J|secret/);
  }
});

Deno.test("upload: an early answer is read though the body is not", async () => {
  await using dir = await tempDir();
  // Larger than all buffers on the way.
  const path = await buildLarge(dir.path, { version: "1.0.0", port: 1, bytes: 32 * 1024 ** 2 });
  await using server = await startServer();
  await using proxy = await proxyTo(server.url);
  const token = ["--token-file", `${server.stateDir}/token`];
  const push = () => runHere(["package", "push", path, "--url", proxy.url, ...token]);
  proxy.answer = (_, response) => response.writeHead(413, { server: "early" }).end(PAGE);
  const early = await push();
  assert.match(early.stderr, /HTTP status 413 from early; .*\[too_large\]/);
  assert.equal(early.code, 1);
  proxy.answer = (request) => request.once("data", () => request.destroy());
  const cut = await push();
  assert.match(cut.stderr, /ended without an answer .*\[unreachable\]/);
  assert.equal(cut.code, 4);
});

/** What a command says that asks a site which refuses everything with a status. */
async function refusedWith(status: number): Promise<{ code: number; stderr: string }> {
  const site = createServer();
  const headers = { server: "nginx", location: "https://other.test/x?secret=1" };
  site.on("upgrade", (_, socket: Duplex) => {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(`HTTP/1.1 ${status} No\r\n${lines.join("")}\r\n`);
  });
  site.on("request", (_, response) => response.writeHead(status, headers).end(PAGE));
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = site.address() as AddressInfo;
    return await runHere(["services", "--url", `ws://127.0.0.1:${port}`]);
  } finally {
    await new Promise((resolve) => {
      site.close(resolve);
      site.closeAllConnections();
    });
  }
}

Deno.test("handshake: a redirect names its target", async () => {
  const { code, stderr } = await refusedWith(301);
  assert.match(stderr, /301 from nginx; it redirects to https:\/\/other\.test\/x; /);
  assert.match(stderr, /\[invalid_request\]\n +hint: --url/);
  assert.doesNotMatch(stderr, /secret/);
  assert.equal(code, 2);
});

Deno.test("handshake: a proxy's login is no matter of the token", async () => {
  const { code, stderr } = await refusedWith(401);
  assert.match(
    stderr,
    /401 from nginx; a proxy .* requires a login of its own \[unauthorized\]\n$/,
  );
  assert.equal(code, 1);
});

Deno.test("handshake: the server's reason for a 403 is shown", async () => {
  await using running = await startTestServer({ listener: "ws" });
  const client = RegistryClient.connect(running.url, {
    headers: { origin: "https://evil.example" },
    reconnect: false,
  });
  await assert.rejects(client, { code: "forbidden", message: /HTTP status 403; .*--allow-origin/ });
});

Deno.test("answerError: the server's own error is kept", () => {
  const error = { code: "package_invalid" as const, message: "m", retryable: false };
  const made = answerError("Cannot upload x", { status: 422, server: "nginx", error });
  assert.deepEqual([made.code, made.message, made.details], ["package_invalid", "m", {
    status: 422,
  }]);
});
