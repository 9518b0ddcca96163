/** D4: a refused handshake is reported with its status, over TLS too, on every runtime. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { runCli, startServer as startCliServer } from "../helpers/cli.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { LISTENERS, startServer } from "../helpers/test_server.ts";
import { TEST_TLS } from "../helpers/tls.ts";
import { testHandshake, TOKEN } from "./handshake_cases.ts";

testHandshake("Deno");

const GUEST = new URL("handshake_guest.ts", import.meta.url).pathname;

for (const listener of LISTENERS) {
  Deno.test(`handshake: wrong token over TLS (${listener})`, async () => {
    await using dir = await tempDir();
    const ca = join(dir.path, "ca.pem");
    await Deno.writeTextFile(ca, TEST_TLS.cert);
    await using running = await startServer({ listener, tls: TEST_TLS, auth: { tokens: [TOKEN] } });
    const url = running.url.replace("127.0.0.1", "localhost");
    const trusting = ["run", "-A", "--quiet", "--cert", ca, GUEST];
    for (const [token, expected] of [["wrong", "unauthorized"], [TOKEN, "connected"]] as const) {
      const { stdout } = await new Deno.Command(Deno.execPath(), {
        args: [...trusting, token, url],
      }).output();
      const text = new TextDecoder().decode(stdout);
      assert.match(text, new RegExp(expected));
      if (token === "wrong") assert.equal(JSON.parse(text).retryable, false);
    }
  });

  Deno.test(`handshake: the CLI names the wrong token (${listener})`, async () => {
    await using dir = await tempDir();
    const [cert, key] = [`${dir.path}/cert.pem`, `${dir.path}/key.pem`];
    await Deno.writeTextFile(cert, TEST_TLS.cert);
    await Deno.writeTextFile(key, TEST_TLS.key);
    const flags = ["--tls-cert", cert, "--tls-key", key, "--listener", listener];
    const env = { HARNESS_SERVER_TOKEN: TOKEN };
    await using server = await startCliServer(flags, { env });
    const url = server.url.replace("127.0.0.1", "localhost");
    const ask = (env: Record<string, string>, ...more: string[]) =>
      runCli(["services", "--url", url, ...more], { env });
    const wrong = await ask({ HARNESS_TOKEN: "not-the-token" }, "--tls-ca", cert);
    assert.match(wrong.stderr, /HTTP status 401;.*\[unauthorized\]\n.*HARNESS_TOKEN/);
    assert.equal(wrong.code, 1);
    const none = await ask({}, "--tls-ca", cert);
    assert.match(none.stderr, /HTTP status 401;.*\[unauthorized\]\n.*--token-file/);
    const distrusted = await ask({ HARNESS_TOKEN: TOKEN });
    assert.match(distrusted.stderr, /certificate is not trusted.*\[unreachable\]/);
  });
}
