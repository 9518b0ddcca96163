import assert from "node:assert/strict";
import type { HarnessError } from "../../src/errors.ts";
import { failure } from "../helpers/rejects.ts";
import { connectSsh } from "../../src/executor/ssh/connect.ts";
import type { SshOptions } from "../../src/executor/ssh/types.ts";
import { TcpProxy } from "./tcp_proxy.ts";
import { eventually } from "../helpers/raw_client.ts";

function facts(error: HarnessError): unknown[] {
  return [error.code, error.details?.host, error.details?.step, error.details?.reason];
}

const ISOLATED: SshOptions = {
  knownHostsFiles: [],
  sshConfigFile: null,
  agentSocket: null,
  connectAttempts: 1,
};

function closedPort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test("connectSsh: reports a refused connection", async () => {
  const port = closedPort();
  const error = await failure(connectSsh({ host: "127.0.0.1", port }, ISOLATED));
  assert.deepEqual(facts(error), ["unreachable", "127.0.0.1", "connect", "refused"]);
  assert.match(error.message, new RegExp(`127.0.0.1 port ${port}: connection refused; is sshd`));
  assert.equal(error.retryable, true);
});

Deno.test("connectSsh: reports a name that cannot be resolved", async () => {
  // Too long for DNS: no name server is asked, so none can be slow.
  const host = `${"x".repeat(64)}.invalid`;
  const error = await failure(connectSsh({ host }, ISOLATED));
  assert.deepEqual(facts(error), ["unreachable", host, "connect", "dns"]);
});

Deno.test("connectSsh: times out on a silent server", async () => {
  await using silent = new TcpProxy(null);
  const options = { ...ISOLATED, connectTimeoutMs: 2000 };
  const target = { host: "127.0.0.1", port: silent.port };
  const error = await failure(connectSsh(target, options));
  assert.deepEqual(facts(error), ["unreachable", "127.0.0.1", "handshake", "timeout"]);
  assert.match(error.message, /waited 2000 ms/);
  assert.equal(silent.accepted, 1, "a timeout is not tried again");
});

Deno.test("connectSsh: stops when aborted", async () => {
  await using silent = new TcpProxy(null);
  const abort = new AbortController();
  const target = { host: "127.0.0.1", port: silent.port };
  const connecting = connectSsh(target, { ...ISOLATED, signal: abort.signal });
  await eventually(() => silent.accepted === 1, "it is connected");
  abort.abort(new Error("enough"));
  await assert.rejects(connecting, /enough/);
});

Deno.test("connectSsh: retries a dropped connection, then gives up", async () => {
  await using dropping = new TcpProxy(null, { drop: true });
  const target = { host: "127.0.0.1", port: dropping.port };
  const error = await failure(connectSsh(target, { ...ISOLATED, connectAttempts: 3 }));
  assert.deepEqual(facts(error), ["unreachable", "127.0.0.1", "handshake", "reset"]);
  assert.match(error.message, /MaxStartups.*PerSourcePenalties/);
  assert.equal(dropping.accepted, 3);
});

Deno.test("connectSsh: reports a server that does not speak SSH", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    using conn = await listener.accept();
    await conn.write(
      new TextEncoder().encode("SSH-2.0-x\r\n" + "HTTP/1.1 400 Bad Request\r\n".repeat(20)),
    );
    await conn.read(new Uint8Array(1000));
  })();
  const target = { host: "127.0.0.1", port: listener.addr.port };
  const error = await failure(connectSsh(target, { ...ISOLATED, connectTimeoutMs: 10_000 }));
  assert.equal(error.code, "unreachable");
  assert.equal(error.details?.step, "handshake");
  await serving;
  listener.close();
});
