/** Which host and path a request is for: the forms of its target, and its Host. */
import assert from "node:assert/strict";
import { RawSocket } from "../helpers/raw_socket.ts";
import { LISTENERS, startServer } from "../helpers/test_server.ts";

for (const listener of LISTENERS) {
  Deno.test(`${listener} listener: takes the absolute form of its address`, async () => {
    await using running = await startServer({ listener });
    const host = `127.0.0.1:${running.server.port}`;
    const statusOf = async (target: string, ...headers: string[]) => {
      using conn = await Deno.connect({ hostname: "127.0.0.1", port: running.server.port });
      const lines = [`GET ${target} HTTP/1.1`, ...headers, "Connection: close", "", ""];
      await conn.write(new TextEncoder().encode(lines.join("\r\n")));
      return Number((await new Response(conn.readable).text()).split(" ")[1]);
    };
    for (const target of [`http://${host}/healthz`, `HTTPS://${host}/healthz`]) {
      assert.equal(await statusOf(target, `Host: ${host}`), 200, target);
    }
    assert.equal(await statusOf("http://LOCALHOST/healthz", "Host: localhost"), 200);
    assert.equal(await statusOf(`http://${host}`, `Host: ${host}`), 426);
    for (const rest of ["evil/healthz", `${host}@evil/healthz`, `${host}x/healthz`, `${host}?x`]) {
      assert.equal(await statusOf(`http://${rest}`, `Host: ${host}`), 400, rest);
    }
    assert.equal(await statusOf(`http://${host}/healthz`, "Host: localhost"), 400);
    assert.equal(await statusOf(`ftp://${host}/healthz`, `Host: ${host}`), 400);
    assert.equal(await statusOf("/healthz", `Host: ${host}`, "host: localhost"), 400);
    assert.equal(await statusOf("/healthz", `Host: ${host}`, `Host: ${host}`), 400);
  });

  Deno.test(`${listener} listener: takes a handshake in absolute form`, async () => {
    await using running = await startServer({ listener });
    const { port } = running.server;
    using socket = await RawSocket.open({ port, path: `http://127.0.0.1:${port}/` });
    assert.equal(socket.status, 101);
    using refused = await RawSocket.open({ port, path: "http://evil/" });
    assert.equal(refused.status, 400);
  });
}
