/** D4: a refused handshake is reported with its status, over TLS too, on every runtime. */
import assert from "node:assert/strict";
import { createServer as createHttp } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { join } from "node:path";
import { bundle } from "../helpers/bundle.ts";
import { needs } from "../helpers/require.ts";
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
  readonly command: (file: string, ca: string) => string[];
  readonly bundled: boolean;
}

const GUEST = new URL("handshake_guest.ts", import.meta.url).pathname;
const RUNTIMES: Record<"Deno" | "Node" | "Bun", Runtime> = {
  Deno: {
    bundled: false,
    command: (_, ca) => [Deno.execPath(), "run", "-A", "--quiet", "--cert", ca, GUEST],
  },
  Node: { bundled: true, command: (file) => ["node", file] },
  Bun: { bundled: true, command: (file) => ["bun", file] },
};

/** What a client in one runtime makes of a refusal. */
export function testHandshake(name: "Deno" | "Node" | "Bun"): void {
  const { command, bundled } = RUNTIMES[name];
  Deno.test({
    name: `handshake: ${name} names the status of a refusal, TLS or not`,
    ignore: name === "Deno" ? false : needs(name.toLowerCase() as "node" | "bun"),
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
      const [program = "", ...args] = command(file, ca);
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
