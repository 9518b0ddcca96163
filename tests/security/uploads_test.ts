/** Uploads and downloads that never end, are too many or too big: CASES C5 and what is like it. */
import assert from "node:assert/strict";
import { readdir, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PackageStore, type PackageStoreOptions } from "../../src/server/packages/package_store.ts";
import { startServer as startProgram } from "../helpers/cli.ts";
import { eventually } from "../helpers/raw_client.ts";
import { LISTENERS, startServer, type TestServer } from "../helpers/test_server.ts";
import { Peers, untilServed } from "./peers.ts";

const FILE = "hello-1.0.0.tar.gz";
const MIB = 1024 * 1024;

/** A server over an own packages directory. */
async function withPackages(
  listener: "deno" | "ws",
  options: PackageStoreOptions,
  work: (running: TestServer, dir: string) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "harness-uploads-" });
  try {
    const packages = await PackageStore.open(dir, { ...options, inspect: null });
    const limits = options.stallTimeoutMs === undefined
      ? {}
      : { transferStallTimeoutMs: options.stallTimeoutMs };
    await using running = await startServer({ listener, packages, limits });
    await work(running, dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Sends `bytes` and returns the status of the answer and its error code. */
async function exchange(port: number, bytes: string): Promise<[status: number, code: string]> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  try {
    await conn.write(new TextEncoder().encode(bytes));
    const buffer = new Uint8Array(16_384);
    let text = "";
    while (!/"retryable":/.test(text)) {
      const count = await conn.read(buffer);
      if (count === null) break;
      text += new TextDecoder().decode(buffer.subarray(0, count));
    }
    const status = Number(/^HTTP\/1.1 (\d+)/.exec(text)?.[1] ?? 0);
    return [status, /"code":"(\w+)"/.exec(text)?.[1] ?? ""];
  } finally {
    conn.close();
  }
}

function put(file: string, length: number | "chunked", more = ""): string {
  const size = length === "chunked" ? "transfer-encoding: chunked" : `content-length: ${length}`;
  return `PUT /packages/${file} HTTP/1.1\r\nhost: localhost\r\n${size}\r\n\r\n${more}`;
}

async function parts(dir: string): Promise<string[]> {
  return (await readdir(dir)).filter((name) => name.endsWith(".part"));
}

async function errorOf(response: Response): Promise<[status: number, code: string]> {
  const { error } = await response.json();
  return [response.status, error.code];
}

for (const listener of LISTENERS) {
  const name = (text: string) => `${listener} listener: ${text}`;

  Deno.test(name("C5 200 unfinished uploads hold nothing"), async () => {
    const token = "a-token-of-at-least-128-bits-0123456789";
    await using server = await startProgram(["--listener", listener, "--max-uploads", "8"], {
      env: { HARNESS_TOKEN: token },
    });
    const port = Number(new URL(server.url).port);
    const dir = `${server.stateDir}/packages`;
    const headers = { authorization: `Bearer ${token}` };
    const before = await rssOf(server.cli.pid);
    const head = put(FILE, 2_000_000_000).replace(
      "\r\n\r\n",
      `\r\nauthorization: Bearer ${token}\r\n\r\n`,
    );
    const peers = new Peers();
    {
      using _ = peers;
      await peers.open(200, port, head + "x".repeat(50_000));
      await eventually(async () => (await parts(dir)).length > 0, "some are taken");
      assert.ok((await parts(dir)).length <= 4, "half of the places for one address");
      const url = `${server.url.replace(/^ws/, "http")}/packages/${FILE}`;
      const refused = await fetch(url, { method: "PUT", body: "x", headers });
      assert.deepEqual(await errorOf(refused), [429, "rate_limited"]);
      assert.ok(await rssOf(server.cli.pid) - before < 200 * MIB, "memory is bounded");
    }
    await eventually(async () => (await parts(dir)).length === 0, "the part files are gone");
    const url = `${server.url.replace(/^ws/, "http")}/packages/${FILE}`;
    await untilServed(async () => {
      const next = await fetch(url, { method: "PUT", body: "no package", headers });
      assert.deepEqual(await errorOf(next), [422, "package_invalid"]); // it was read and looked at
    }, "the next upload");
  });

  Deno.test(name("refuses what is too big before its body"), async () => {
    await withPackages(listener, { maxBytes: 1000, maxTotalBytes: 1500 }, async (it, dir) => {
      const { port } = it.server;
      assert.deepEqual(await exchange(port, put(FILE, 1001)), [413, "too_large"]);
      await writeFile(join(dir, "by-hand-1.0.0.tar.gz"), "x".repeat(900));
      assert.deepEqual(await exchange(port, put(FILE, 601)), [507, "storage_unavailable"]);
      const chunks = `2bc\r\n${"x".repeat(700)}\r\n`;
      const announced = await exchange(port, put(FILE, "chunked", chunks));
      assert.deepEqual(announced, [507, "storage_unavailable"]);
      await eventually(async () => (await parts(dir)).length === 0, "the part file is gone");
      const url = `${it.http}/packages/${FILE}`;
      const fits = await fetch(url, { method: "PUT", body: "x".repeat(600) });
      assert.equal((await fits.json()).size, 600);
    });
  });

  Deno.test(name("gives up an upload that does not move"), async () => {
    await withPackages(listener, { stallTimeoutMs: 300 }, async (it, dir) => {
      const bytes = put(FILE, 1_000_000, "x".repeat(10));
      assert.deepEqual(await exchange(it.server.port, bytes), [408, "timeout"]);
      const signature = put(`${FILE}.minisig`, 200, "untrusted");
      assert.deepEqual(await exchange(it.server.port, signature), [408, "timeout"]);
      await eventually(async () => (await parts(dir)).length === 0, "the part file is gone");
    });
  });

  Deno.test(name("gives up an upload that trickles"), async () => {
    await withPackages(listener, { stallTimeoutMs: 300 }, async (it, dir) => {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port: it.server.port });
      await conn.write(new TextEncoder().encode(put(FILE, 1_000_000)));
      await eventually(async () => (await parts(dir)).length === 1, "it is taken");
      // Each byte comes long before the time is up, all of them never.
      const end = Date.now() + 30_000;
      while ((await parts(dir)).length === 1 && Date.now() < end) {
        await conn.write(new TextEncoder().encode("x")).catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      assert.deepEqual(await parts(dir), []);
      conn.close();
    });
  });

  Deno.test(name("gives up a download that nobody reads"), async () => {
    await withPackages(listener, { stallTimeoutMs: 300 }, async (it, dir) => {
      await writeFile(join(dir, FILE), new Uint8Array(64 * MIB));
      using peers = new Unread();
      for (let i = 0; i < 8; i++) await peers.get(it.server.port);
      await eventually(async () => await openedBelow(dir) > 0, "they are being sent");
      await eventually(async () => await openedBelow(dir) === 0, "their files are closed");
      // Who reads gets all of it; a pause of this whole process counts as one of the reader's.
      await untilServed(async () => {
        const response = await fetch(`${it.http}/packages/${FILE}`);
        let size = 0;
        for await (const chunk of response.body ?? []) size += chunk.length;
        assert.equal(size, 64 * MIB);
      }, "a download that is read");
    });
  });
}

/** Peers that ask for a package and read nothing. */
class Unread implements Disposable {
  readonly #conns: Deno.Conn[] = [];

  async get(port: number): Promise<void> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    this.#conns.push(conn);
    const head = `GET /packages/${FILE} HTTP/1.1\r\nhost: localhost\r\n\r\n`;
    await conn.write(new TextEncoder().encode(head));
  }

  [Symbol.dispose](): void {
    for (const conn of this.#conns) conn.close();
  }
}

/** How many files below a directory this process has open. */
async function openedBelow(dir: string): Promise<number> {
  let count = 0;
  for (const fd of await readdir("/proc/self/fd")) {
    const path = await readlink(`/proc/self/fd/${fd}`).catch(() => "");
    if (path.startsWith(dir)) count++;
  }
  return count;
}

async function rssOf(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1024;
}
