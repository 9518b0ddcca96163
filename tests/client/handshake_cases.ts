/** D4: a refused handshake is reported with its status, over TLS too, on every runtime. */
import assert from "node:assert/strict";
import { createServer as createHttp } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo } from "node:net";
import { createServer as createTcp, type Server } from "node:net";
import type { Duplex } from "node:stream";
import { join } from "node:path";
import { bundle } from "../helpers/bundle.ts";
import { type Component, needs } from "../helpers/require.ts";
import { nodePath } from "../helpers/runtimes.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { TEST_TLS } from "../helpers/tls.ts";

export const TOKEN = "a-token-of-128-bit-at-least";

/** What each status means to a client. */
const STATUSES: ReadonlyArray<[status: number, code: string, retryable: boolean]> = [
  [301, "invalid_request", false],
  [400, "invalid_request", false],
  [401, "unauthorized", false],
  [403, "forbidden", false],
  [404, "unreachable", true],
  [413, "too_large", false],
  [429, "rate_limited", true],
  [502, "unavailable", true],
  [503, "unavailable", true],
  [504, "unavailable", true],
];

/** A proxy that answers whatever is asked of it with the status in the path. */
async function statusServer(secure: boolean): Promise<{ url: string } & AsyncDisposable> {
  const server = secure ? createHttps({ ...TEST_TLS }) : createHttp();
  const status = (url = "") => Number(url.slice(1)) || 500;
  server.on("request", (request, response) => {
    response.writeHead(status(request.url), { location: "/elsewhere", connection: "close" });
    response.end("no");
  });
  server.on("upgrade", (request, socket: Duplex) => {
    const line = `HTTP/1.1 ${status(request.url)} No\r\n`;
    socket.end(`${line}location: /elsewhere\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${secure ? "wss" : "ws"}://localhost:${port}/`,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      });
    },
  };
}

/** How a program on a runtime trusts the authority of the test. */
interface Runtime {
  readonly command: (file: string, ca: string) => string[] | Promise<string[]>;
  readonly bundled: boolean;
  readonly components: readonly Component[];
}

const GUEST = new URL("handshake_guest.ts", import.meta.url).pathname;
const RUNTIMES: Record<"Deno" | "Node" | "Bun", Runtime> = {
  Deno: {
    bundled: false,
    components: [],
    command: (_, ca) => [Deno.execPath(), "run", "-A", "--quiet", "--cert", ca, GUEST],
  },
  Node: {
    bundled: true,
    components: ["node22"],
    command: async (file) => [await nodePath(22), file],
  },
  Bun: { bundled: true, components: ["bun"], command: (file) => ["bun", file] },
};

/** A server of a test, and how to reach it. */
async function listening(
  server: Server,
  scheme: string,
): Promise<{ url: string } & AsyncDisposable> {
  const sockets = new Set<Duplex>();
  server.on("connection", (socket: Duplex) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${scheme}://localhost:${port}/`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

const CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** An authority, and what is wrong with the certificates that it (or another one) made. */
async function certificates(dir: string) {
  const openssl = async (...args: string[]) => {
    const { success, stderr } = await new Deno.Command("openssl", { args, cwd: dir }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
  };
  for (const ca of ["ca", "other"]) {
    const files = ["-keyout", `${ca}.key`, "-out", `${ca}.pem`];
    await openssl("req", "-x509", ...CURVE, ...files, "-days", "9", "-subj", `/CN=${ca}`);
  }
  const make = async (name: string, { ca = "ca", host = "localhost", days = "9" }) => {
    const asked = ["-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`];
    await openssl("req", ...CURVE, ...asked);
    const extensions = `subjectAltName=DNS:${host}\nbasicConstraints=CA:FALSE\n`;
    await Deno.writeTextFile(join(dir, `${name}.ext`), extensions);
    const signer = ["-CA", `${ca}.pem`, "-CAkey", `${ca}.key`, "-CAcreateserial", "-days", days];
    const files = ["-in", `${name}.csr`, "-out", `${name}.pem`, "-extfile", `${name}.ext`];
    await openssl("x509", "-req", ...signer, ...files);
    const read = (end: string) => Deno.readTextFile(join(dir, `${name}.${end}`));
    return { key: await read("key"), cert: await read("pem") };
  };
  return {
    certificate_expired: await make("expired", { days: "-1" }),
    certificate_name: await make("name", { host: "other.example" }),
    certificate_untrusted: await make("untrusted", { ca: "other" }),
  };
}

/** Why a client in one runtime says that it could not connect. */
export function testConnectFailures(name: "Deno" | "Node" | "Bun"): void {
  const { command, bundled, components } = RUNTIMES[name];
  Deno.test({
    name: `handshake: ${name} names why there is no connection`,
    ignore: needs("openssl", ...components),
    async fn() {
      await using dir = await tempDir();
      await using servers = new AsyncDisposableStack();
      const start = async (server: Server, scheme: string) =>
        servers.use(await listening(server, scheme)).url;
      const cases: Array<[url: string, reason: string]> = [];
      for (const [reason, pair] of Object.entries(await certificates(dir.path))) {
        cases.push([await start(createHttps(pair), "wss"), reason]);
      }
      const web = createHttp((_, response) => response.end("<html>"));
      web.on("upgrade", (_, socket: Duplex) => {
        socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
      });
      const html = await start(web, "ws");
      const closing = await start(createTcp((socket) => socket.destroy()), "ws");
      const silent = createTcp((socket) => socket.once("data", () => socket.end()));
      cases.push(
        [html, "wrong_address"],
        [html.replace("ws:", "wss:"), "not_tls"],
        [cases[0]![0].replace("wss:", "ws:"), "not_http"],
        [closing, "closed"],
        [closing.replace("ws:", "wss:"), "closed"],
        [await start(silent, "ws"), "closed"],
        ["ws://no-such-host.invalid/", "unknown_host"],
      );
      const [file, ca] = [join(dir.path, "guest.mjs"), join(dir.path, "ca.pem")];
      if (bundled) await bundle({ entry: "tests/client/handshake_guest.ts", out: file });
      const [program = "", ...args] = await command(file, ca);
      const { stdout, stderr } = await new Deno.Command(program, {
        args: [...args, TOKEN, ...cases.map(([url]) => url)],
        env: { NODE_EXTRA_CA_CERTS: ca },
      }).output();
      const got = new TextDecoder().decode(stdout).trim().split("\n").map((line) =>
        JSON.parse(line)
      );
      assert.equal(got.length, cases.length, new TextDecoder().decode(stderr));
      got.forEach(({ code, reason, message }, at) => {
        const [url, wanted] = cases[at]!;
        assert.deepEqual([code, reason], ["unreachable", wanted], `${url}: ${message}`);
      });
    },
  });
}

/** What a client in one runtime makes of a refusal. */
export function testHandshake(name: "Deno" | "Node" | "Bun"): void {
  const { command, bundled, components } = RUNTIMES[name];
  Deno.test({
    name: `handshake: ${name} names the status of a refusal, TLS or not`,
    ignore: needs(...components),
    async fn() {
      await using dir = await tempDir();
      const [file, ca] = [join(dir.path, "guest.mjs"), join(dir.path, "ca.pem")];
      await Deno.writeTextFile(ca, TEST_TLS.cert);
      if (bundled) await bundle({ entry: "tests/client/handshake_guest.ts", out: file });
      await using plain = await statusServer(false);
      await using secure = await statusServer(true);
      const cases = [plain, secure].flatMap(({ url }) =>
        STATUSES.map(([status, code, retryable]) => ({
          url: `${url}${status}`,
          status,
          code,
          retryable,
        }))
      );
      const [program = "", ...args] = await command(file, ca);
      const { stdout, stderr } = await new Deno.Command(program, {
        args: [...args, TOKEN, ...cases.map(({ url }) => url)],
        env: { NODE_EXTRA_CA_CERTS: ca },
      }).output();
      const lines = new TextDecoder().decode(stdout).trim().split("\n");
      assert.equal(lines.length, cases.length, new TextDecoder().decode(stderr));
      lines.forEach((line, at) => {
        const { url, status, code, retryable } = cases[at]!;
        const got = JSON.parse(line);
        assert.deepEqual(
          [got.code, got.retryable, got.status],
          [code, retryable, status],
          `${url}: ${line}`,
        );
        assert.match(got.message, new RegExp(`HTTP status ${status}; `));
      });
    },
  });
}
