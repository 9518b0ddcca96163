/** Hostile peers of a whole server: CASES C4 and C5 and what is like them. */
import assert from "node:assert/strict";
import { startServer, type TestServer } from "../helpers/cli.ts";
import { eventually, RawClient } from "../helpers/raw_client.ts";
import { RawSocket } from "../helpers/raw_socket.ts";
import { LISTENERS, service } from "../helpers/test_server.ts";
import { TEST_TLS } from "../helpers/tls.ts";
import { Peers, untilServed } from "./peers.ts";

const OPEN_FILES = 256;
const IDLE_PEERS = 277;

function portOf(server: TestServer): number {
  return Number(new URL(server.url).port);
}

/** A new client gets an answer; it fails, so that the next one is tried, when there is none for long. */
async function isServed({ url }: TestServer): Promise<void> {
  await using client = await RawClient.ready(url, { deadlineMs: 10_000 });
  await client.call("list_services");
}

/** Registers services with 180 kB each, enough for new journal segments and snapshots. */
async function register(client: RawClient, from: number, count: number): Promise<void> {
  for (let i = from; i < from + count; i++) {
    const metadata = { note: "x".repeat(4000) };
    const endpoints = Array.from({ length: 45 }, (_, at) => (
      { name: `p${at}`, address: "h:1", protocol: "http" as const, metadata }
    ));
    const registered = service(`s${i}`, { endpoints });
    // At worst a change is refused while no file can be opened; it must then succeed soon.
    await untilServed(
      () => client.call("register_service", { service: registered, replace: true }),
      `register s${i}`,
    );
  }
}

for (const listener of LISTENERS) {
  const name = (text: string) => `${listener} listener: ${text}`;
  const args = ["--listener", listener];

  Deno.test(name("C4 survives idle peers beside a client"), async () => {
    await using server = await startServer(args, { openFiles: OPEN_FILES });
    await using client = await RawClient.ready(server.url);
    await register(client, 0, 1);
    const peers = new Peers();
    {
      using _ = peers;
      await peers.open(IDLE_PEERS, portOf(server));
      await register(client, 1, 40);
      assert.equal((await client.call("list_services")).length, 41);
      await untilServed(() => isServed(server), "beside idle peers");
    }
    await untilServed(() => isServed(server), "after idle peers");
    await register(client, 41, 1);
    // Nothing that was acknowledged is lost.
    server.cli.kill("SIGKILL");
    await server.cli.end();
    await using again = await startServer(args, { stateDir: server.stateDir });
    await using reader = await RawClient.ready(again.url);
    assert.equal((await reader.call("list_services")).length, 42);
  });

  Deno.test(name("C4 serves new clients while idle peers stay"), async () => {
    await using server = await startServer(args, { openFiles: OPEN_FILES });
    using peers = new Peers();
    await peers.open(IDLE_PEERS, portOf(server));
    await untilServed(() => isServed(server), "beside idle peers");
    // And again, when they come again.
    await peers.open(IDLE_PEERS, portOf(server));
    await untilServed(() => isServed(server), "beside idle peers");
    assert.ok(peers.dropped > 0);
  });

  Deno.test(name("C4 serves new clients beside idle peers that came slowly"), async () => {
    await using server = await startServer(args, { openFiles: OPEN_FILES });
    using peers = new Peers();
    await peers.open(IDLE_PEERS, portOf(server), "", 15);
    await untilServed(() => isServed(server), "beside idle peers");
  });

  Deno.test(name("C4 ends in good order beside idle peers"), async () => {
    await using server = await startServer(args, { openFiles: OPEN_FILES });
    await using client = await RawClient.ready(server.url);
    using peers = new Peers();
    await peers.open(IDLE_PEERS, portOf(server));
    await client.call("list_services");
    server.cli.kill("SIGTERM");
    assert.equal((await client.closed).code, 1001);
    assert.equal((await server.cli.end()).code, 0);
  });

  Deno.test(name("C4 keeps descriptors for its files"), async () => {
    await using server = await startServer(args, { openFiles: OPEN_FILES });
    await using client = await RawClient.ready(server.url);
    using peers = new Peers();
    await peers.open(IDLE_PEERS, portOf(server));
    await client.call("list_services");
    await eventually(
      async () => {
        const free = OPEN_FILES - await openFilesOf(server.cli.pid);
        return free >= 32;
      },
      "descriptors are free for files",
    );
  });
}

Deno.test("listener: serves clients with a tiny limit of files", async () => {
  await using server = await startServer([], { openFiles: 100 });
  using peers = new Peers();
  await peers.open(100, portOf(server));
  await untilServed(() => isServed(server), "beside idle peers");
  // Also once the reserve was looked at.
  await eventually(() => isServed(server).then(() => peers.dropped > 0), "idle peers make room");
});

async function openFilesOf(pid: number): Promise<number> {
  return (await Array.fromAsync(Deno.readDir(`/proc/${pid}/fd`))).length;
}

/** What an upgrade is answered, or `null` when the connection is dropped before. */
async function statusOfOneMore(server: TestServer): Promise<number | null> {
  try {
    using more = await RawSocket.open({ port: portOf(server) });
    return more.status === 0 ? null : more.status;
  } catch {
    return null; // reset
  }
}

const TOKEN = "a-token-of-at-least-128-bits-0123456789";

for (const listener of LISTENERS) {
  const name = (text: string) => `${listener} listener: ${text}`;

  Deno.test(name("C5 wrong tokens are slowed down and logged once"), async () => {
    await using server = await startServer(["--listener", listener], {
      env: { HARNESS_TOKEN: TOKEN },
    });
    const http = server.url.replace(/^ws/, "http");
    const headers = {
      authorization: "Bearer wrong-token-0123456789",
      "x-forwarded-for": "9.9.9.9",
    };
    const statuses = new Map<number, number>();
    const ask = async () => {
      const response = await fetch(`${http}/packages`, { headers });
      const { error } = await response.json();
      if (response.status === 429) {
        assert.equal(error.code, "rate_limited");
        assert.ok(Number(response.headers.get("retry-after")) >= 1);
      }
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
    };
    for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 25 }, ask));
    assert.deepEqual([...statuses.keys()].toSorted(), [401, 429]);
    assert.ok((statuses.get(401) ?? 0) <= 30, "few 401");
    // Every door counts together, and a right token opens each of them.
    using refused = await RawSocket.open({ port: portOf(server), headers });
    assert.equal(refused.status, 429);
    const right = { authorization: `Bearer ${TOKEN}` };
    assert.deepEqual(await (await fetch(`${http}/packages`, { headers: right })).json(), []);
    await using client = await RawClient.ready(server.url, { headers: right });
    await client.call("list_services");
    const lines = server.cli.stderr.split("\n").filter((line) => line.includes("Refused"));
    assert.ok(lines.length >= 1 && lines.length <= 2, lines.join("\n"));
    assert.match(lines[0] ?? "", /127\.0\.0\.1/);
    assert.doesNotMatch(server.cli.stderr, /9\.9\.9\.9|wrong-token/);
  });

  Deno.test(name("bounds the connections of one address"), async () => {
    await using server = await startServer(
      ["--listener", listener, "--max-connections-per-address", "3"],
    );
    {
      await using _a = await RawClient.ready(server.url);
      await using _b = await RawClient.ready(server.url);
      await using _c = await RawClient.ready(server.url);
      assert.equal(await statusOfOneMore(server), 429);
    }
    await untilServed(() => isServed(server), "after others have left");
  });
}

for (const listener of LISTENERS) {
  Deno.test(`${listener} listener: reconnecting peers do not fill the log`, async () => {
    await using server = await startServer(["--listener", listener, "--max-bad-messages", "1"]);
    for (let i = 0; i < 30; i++) {
      await using client = await RawClient.ready(server.url);
      client.send("nonsense");
      assert.equal((await client.closed).code, 4400);
    }
    await isServed(server);
    const lines = server.cli.stderr.split("\n").filter((line) => line.includes("Closed"));
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? "", /of 127\.0\.0\.1, 4400/);
  });

  Deno.test(`${listener} listener: C4 over TLS`, async () => {
    const dir = await Deno.makeTempDir({ prefix: "harness-tls-" });
    await Deno.writeTextFile(`${dir}/cert.pem`, TEST_TLS.cert);
    await Deno.writeTextFile(`${dir}/key.pem`, TEST_TLS.key, { mode: 0o600 });
    try {
      await using server = await startServer(
        ["--listener", listener, "--tls-cert", `${dir}/cert.pem`, "--tls-key", `${dir}/key.pem`],
        { openFiles: OPEN_FILES },
      );
      using client = Deno.createHttpClient({ caCerts: [TEST_TLS.cert] });
      const url = `https://localhost:${portOf(server)}/healthz`;
      const isUp = async () => {
        const signal = AbortSignal.timeout(5000);
        const response = await fetch(url, { client, signal });
        assert.deepEqual(await response.json(), { status: "ok" });
      };
      await isUp();
      {
        using peers = new Peers();
        await peers.open(IDLE_PEERS, portOf(server));
        await untilServed(isUp, "beside peers that never shake hands");
      }
      await untilServed(isUp, "after they have left");
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  });
}
