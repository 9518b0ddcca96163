/** The handshakes of clients as they differ: what RFC 6455 allows connects, and what may hide a body does not. */
import assert from "node:assert/strict";
import { connect } from "node:tls";
import { RawSocket } from "../helpers/raw_socket.ts";
import { LISTENERS, startServer } from "../helpers/test_server.ts";
import { TEST_TLS } from "../helpers/tls.ts";

/** Headers that replace or follow those of `RawSocket`; `Name` beside `name` is another spelling of it. */
type Headers = Record<string, string>;

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
/** Takes a header of `RawSocket` out. */
const none = "";

const ACCEPTED: Record<string, Headers> = {
  "the JDK: always a Content-Length": { "content-length": "0" },
  "the JDK, spelled otherwise": { "CONTENT-LENGTH": "0" },
  "Firefox: two options": { connection: "keep-alive, Upgrade" },
  "two lines of options": { Connection: "keep-alive" },
  "another case": { connection: "UPGRADE", upgrade: "WebSocket" },
  "another order": {
    "sec-websocket-version": none,
    "sec-websocket-key": none,
    upgrade: none,
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
    "Upgrade": "websocket",
  },
  "several upgrades": { upgrade: "h2c, websocket" },
  "an extension": {
    "sec-websocket-extensions":
      "permessage-deflate; client_max_window_bits, x-webkit-deflate-frame",
  },
  "an IPv6 host": { host: "[::1]:1234" },
};

const REFUSED: Record<string, Headers> = {
  "a body": { "content-length": "5" },
  "a length that is read in two ways": { "content-length": "00" },
  "a signed length": { "content-length": "+0" },
  "two lengths": { "content-length": "0", "Content-Length": "5" },
  "a chunked body": { "transfer-encoding": "chunked" },
  "a chunked body and no length": { "transfer-encoding": "chunked", "content-length": "0" },
  "a coding that nobody knows": { "transfer-encoding": "identity" },
  "a key that is too short": { "sec-websocket-key": "c2hvcnQ=" },
};

for (const listener of LISTENERS) {
  Deno.test(`${listener} listener: accepts the handshakes of all clients`, async () => {
    await using running = await startServer({ listener });
    const { port } = running.server;
    for (const [name, headers] of Object.entries(ACCEPTED)) {
      using socket = await RawSocket.open({ port, headers });
      assert.equal(socket.status, 101, name);
      assert.doesNotMatch(socket.answer, /sec-websocket-extensions/i, name); // declined
      const { value } = await socket.frames().next();
      assert.match(new TextDecoder().decode(value?.payload), /^\{"type":"event","event":"hello"/);
    }
  });

  Deno.test(`${listener} listener: chooses among many subprotocols`, async () => {
    await using running = await startServer({ listener });
    const { port } = running.server;
    const offers = [
      "harness.v1",
      "a,harness.v1",
      "a , harness.v1 ,b",
      "a,\tharness.v1",
      "x, y, harness.v1",
    ];
    for (const offer of offers) {
      using socket = await RawSocket.open({ port, headers: { "sec-websocket-protocol": offer } });
      assert.match(socket.answer, /^sec-websocket-protocol: harness\.v1\r$/im, offer);
    }
    const lines = { "sec-websocket-protocol": "a", "Sec-WebSocket-Protocol": "harness.v1" };
    using socket = await RawSocket.open({ port, headers: lines });
    assert.match(socket.answer, /^sec-websocket-protocol: harness\.v1\r$/im);
  });

  Deno.test(`${listener} listener: refuses a handshake with a body`, async () => {
    await using running = await startServer({ listener });
    for (const [name, headers] of Object.entries(REFUSED)) {
      using socket = await RawSocket.open({ port: running.server.port, headers });
      assert.equal(socket.status, 400, name);
      // What follows is never taken for another request.
      await socket.write(
        new TextEncoder().encode("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
      );
      const rest = socket.answer + new TextDecoder().decode(await socket.readToEnd());
      assert.doesNotMatch(rest, /"status":"ok"/, name);
    }
  });

  Deno.test(`${listener} listener: loses nothing that is sent at once`, async () => {
    await using running = await startServer({ listener });
    const worker = new Worker(new URL("./quick_client.ts", import.meta.url), { type: "module" });
    const answered = new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = reject;
    });
    worker.postMessage(running.server.port);
    assert.equal(await answered, 50);
    worker.terminate();
  });

  Deno.test(`${listener} listener: warms up before and after its end`, async () => {
    await using running = await startServer({ listener });
    const { server } = running;
    await Promise.all([server.warmUp(), server.warmUp()]);
    using socket = await RawSocket.open({ port: server.port });
    assert.equal(socket.status, 101);
    await server.shutdown();
    await server.warmUp();
  });

  Deno.test(`${listener} listener: handshakes that wait end with it`, async () => {
    await using running = await startServer({ listener });
    const { server } = running;
    await server.warmUp();
    const all = Array.from({ length: 200 }, () => RawSocket.open({ port: server.port }));
    const opened = Promise.allSettled(all);
    await all[0];
    await server.shutdown();
    for (const result of await opened) {
      if (result.status === "rejected") continue;
      using socket = result.value;
      for await (const _ of socket.frames()); // ends
    }
  });

  Deno.test(`${listener} listener: ignores an upgrade to HTTP/2`, async () => {
    await using running = await startServer({ listener });
    const headers = {
      connection: "Upgrade, HTTP2-Settings",
      upgrade: "h2c",
      "http2-settings": "AA",
    };
    using socket = await RawSocket.open({ port: running.server.port, path: "/healthz", headers });
    assert.equal(socket.status, 200);
    const rest = socket.answer + new TextDecoder().decode(await socket.readToEnd());
    assert.match(rest, /"status":"ok"/);
  });

  Deno.test(`${listener} listener: upgrades over TLS when h2 is offered`, async () => {
    await using running = await startServer({ listener, tls: TEST_TLS });
    const ALPNProtocols = ["h2", "http/1.1"];
    const { port } = running.server;
    const socket = connect({ host: "127.0.0.1", port, ca: TEST_TLS.cert, ALPNProtocols });
    socket.write(
      `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Content-Length: 0\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`,
    );
    let text = "";
    for await (const chunk of socket) {
      text += chunk;
      if (text.includes("hello")) break;
    }
    assert.notEqual(socket.alpnProtocol, "h2");
    assert.match(text, /^HTTP\/1\.1 101 /);
    socket.destroy();
  });
}
