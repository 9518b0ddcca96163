/** The common WebSocket clients of other languages, plain and over TLS. */
import assert from "node:assert/strict";
import { needs } from "../helpers/require.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { LISTENERS, service, startServer, type TestServer } from "../helpers/test_server.ts";
import { TEST_TLS } from "../helpers/tls.ts";
import { type Aim, CLIENTS, type ForeignClient, SCENARIO } from "./clients.ts";

const TOKEN = "a-token-of-the-other-languages";

/** A server that takes large messages, and soon sends a bookmark to who gets nothing else. */
async function start(listener: "deno" | "ws", secure: boolean): Promise<TestServer> {
  const running = await startServer({
    listener,
    ...(secure ? { tls: TEST_TLS } : {}),
    auth: { tokens: [TOKEN] },
    limits: {
      maxMessageBytes: 2 * 1024 * 1024,
      maxBadMessages: 1,
      bookmarkIntervalMs: 200,
    },
  });
  // Together more than 1 MiB, so that lists come in large frames.
  const metadata = { note: "x".repeat(4000) };
  const endpoints = Array.from({ length: 45 }, (_, at) => (
    { name: `p${at}`, address: "h:1", protocol: "http" as const, metadata }
  ));
  for (let i = 0; i < 7; i++) {
    await running.registry.register(service(i === 0 ? "big" : `big-${i}`, { endpoints }));
  }
  return running;
}

const KINDS = LISTENERS.flatMap((listener) =>
  [false, true].map((secure) => ({
    listener,
    secure,
    title: `${listener}${secure ? ", TLS" : ""}`,
  }))
);

function expected({ lacks = [] }: ForeignClient): string[] {
  return SCENARIO.filter((line) => !(line === "pong" && lacks.includes("ping")))
    .map((line) => line === "refused 401" && lacks.includes("status") ? "refused" : line);
}

async function run(
  command: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<string[]> {
  const signal = AbortSignal.timeout(120_000);
  const child = new Deno.Command(command, {
    args,
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal,
  });
  const { stdout, stderr } = await child.output();
  const lines = new TextDecoder().decode(stdout).trim().split(/\r?\n/);
  const error = new TextDecoder().decode(stderr).trim();
  return error === "" ? lines : [...lines, error];
}

for (const client of CLIENTS) {
  Deno.test({
    name: `${client.name}: works, also over TLS`,
    ignore: needs(...client.needs),
    async fn() {
      await using dir = await tempDir();
      const ca = `${dir.path}/ca.pem`;
      await Deno.writeTextFile(ca, TEST_TLS.cert);
      const how = await client.prepare();
      const seen = await Promise.all(KINDS.map(async ({ listener, secure, title }) => {
        await using running = await start(listener, secure);
        const aim: Aim = { url: running.url, token: TOKEN, ca };
        const { command, args, env } = how(aim);
        return [title, await run(command, args, env)] as const;
      }));
      const wanted = KINDS.map(({ title }) => [title, expected(client)] as const);
      assert.deepEqual(Object.fromEntries(seen), Object.fromEntries(wanted));
    },
  });
}

Deno.test({
  name: "curl: makes the handshake by hand, and sees the hello",
  ignore: needs("curl"),
  async fn() {
    await using dir = await tempDir();
    const ca = `${dir.path}/ca.pem`;
    await Deno.writeTextFile(ca, TEST_TLS.cert);
    for (const { listener, secure, title } of KINDS) {
      await using running = await start(listener, secure);
      const headers = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: harness.v1",
        `Authorization: Bearer ${TOKEN}`,
      ].flatMap((header) => ["-H", header]);
      const child = new Deno.Command("curl", {
        args: ["-sSiN", "--http1.1", "--cacert", ca, ...headers, running.http],
        stdin: "null",
        stdout: "piped",
        stderr: "null",
      }).spawn();
      let text = "";
      for await (const chunk of child.stdout) {
        text += new TextDecoder("latin1").decode(chunk);
        if (text.includes('"capabilities"')) break;
      }
      assert.match(text, /^HTTP\/1\.1 101 [\s\S]*"event":"hello"/, title);
      child.kill();
      await child.status;
    }
  },
});
