/** The HTTP side of the port, packages above all. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HarnessError } from "../../src/errors.ts";
import { Registry } from "../../src/registry/registry.ts";
import { PackageStore } from "../../src/server/packages/package_store.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";
import { eventually, RawClient } from "../helpers/raw_client.ts";
import { LISTENERS, startServer } from "../helpers/test_server.ts";

const FILE = "hello-1.0.0.tar.gz";

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Whether this process has a file open. */
function isOpen(path: string): boolean {
  return [...Deno.readDirSync("/proc/self/fd")].some(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`) === path;
    } catch {
      return false; // closed meanwhile
    }
  });
}

/** Runs a test with a temporary packages directory. */
async function withDir(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "harness-packages-" });
  try {
    await work(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function errorOf(response: Response): Promise<{ status: number; code: string }> {
  const { error } = await response.json();
  assert.equal(typeof error.message, "string");
  return { status: response.status, code: error.code };
}

for (const listener of LISTENERS) {
  const name = (text: string) => `${listener} server ${text}`;

  Deno.test(name("answers health, version, hints and unknown paths"), async () => {
    await using running = await startServer({ listener });
    const get = (path: string, init?: RequestInit) => fetch(running.http + path, init);
    assert.deepEqual(await (await get("/healthz")).json(), { status: "ok" });
    assert.deepEqual(await (await get("/readyz")).json(), { status: "ready", seq: 0 });
    const version = await (await get("/version")).json();
    assert.equal(version.name, "harness-ws-server");
    assert.deepEqual(version.protocol, [1]);
    const hint = await get("/");
    assert.equal(hint.status, 426);
    assert.equal(hint.headers.get("upgrade"), "websocket");
    assert.match(hint.headers.get("content-type") ?? "", /^text\/plain/);
    assert.match(await hint.text(), /harness\.v1/);
    assert.deepEqual(await errorOf(await get("/nope")), { status: 404, code: "not_found" });
    assert.equal((await errorOf(await get("/healthz", { method: "POST" }))).status, 405);
    const head = await get("/healthz", { method: "HEAD" });
    assert.equal(head.status, 200);
    await head.body?.cancel();
    assert.deepEqual(await errorOf(await get("/packages")), { status: 503, code: "unavailable" });
  });

  Deno.test(name("turns readyz red when changes are refused"), async () => {
    await using registry = await Registry.open(new MemoryStore());
    await using running = await startServer({
      listener,
      registry: new Proxy(registry, {
        get: (target, key) => {
          if (key === "problem") return "the disk is full";
          const value = Reflect.get(target, key, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      }),
    });
    const response = await fetch(`${running.http}/readyz`);
    assert.equal(response.status, 503);
    assert.deepEqual(await response.json(), {
      status: "not ready",
      problems: ["the disk is full"],
    });
  });

  Deno.test(name("stores, lists, gives and removes packages"), async () => {
    await withDir(async (dir) => {
      const packages = await PackageStore.open(dir, { inspect: null });
      await using running = await startServer({ listener, packages });
      const url = `${running.http}/packages/${FILE}`;
      const bytes = crypto.getRandomValues(new Uint8Array(50_000));
      const digest = sha256(bytes);
      const info = { file: FILE, name: "hello", version: "1.0.0", size: 50_000, sha256: digest };
      const put = (
        body: Uint8Array<ArrayBuffer>,
        query = "",
        headers: Record<string, string> = {},
      ) => fetch(url + query, { method: "PUT", body, headers });

      const created = await put(bytes, "", { "x-content-sha256": digest });
      assert.equal(created.status, 201);
      assert.deepEqual(await created.json(), info);
      assert.deepEqual(await (await put(bytes)).json(), info); // the same again
      const other = new Uint8Array(10).fill(1);
      assert.deepEqual(await errorOf(await put(other)), { status: 409, code: "already_exists" });
      assert.deepEqual(
        await errorOf(await put(other, "?force=1", { "x-content-sha256": digest })),
        { status: 422, code: "package_invalid" },
      );
      assert.deepEqual(
        await errorOf(await put(other, "", { "x-content-sha256": "abc" })),
        { status: 400, code: "invalid_params" },
      );

      await using client = await RawClient.ready(running.url);
      assert.deepEqual(await client.call("list_packages"), [info]);
      assert.deepEqual(await (await fetch(`${running.http}/packages`)).json(), [info]);
      const got = await fetch(url);
      assert.equal(got.headers.get("x-content-sha256"), digest);
      assert.equal(got.headers.get("content-length"), "50000");
      assert.deepEqual(new Uint8Array(await got.arrayBuffer()), bytes);
      const head = await fetch(url, { method: "HEAD" });
      assert.equal(head.headers.get("etag"), `"${digest}"`);
      await head.body?.cancel();

      const base64 = btoa(String.fromCharCode(...createHash("sha256").update(other).digest()));
      const unfit: Array<Record<string, string>> = [
        { "content-digest": "sha-256=:AAAA:" },
        { "content-digest": `sha-256:${base64}:` },
        { "content-digest": `sha-256=:${base64}:`, "x-content-sha256": sha256(bytes) },
      ];
      for (const headers of unfit) {
        assert.deepEqual(
          await errorOf(await put(other, "?force=1", headers)),
          { status: 400, code: "invalid_params" },
          JSON.stringify(headers),
        );
      }
      const both = `sha-512=:${btoa("x".repeat(64))}:, sha-256=:${base64}:`;
      const forced = await put(other, "?force=1", { "content-digest": both });
      assert.equal((await forced.json()).sha256, sha256(other));
      assert.equal((await fetch(url, { method: "DELETE" })).status, 204);
      assert.equal((await errorOf(await fetch(url))).status, 404);
      assert.equal((await errorOf(await fetch(url, { method: "DELETE" }))).status, 404);
      assert.deepEqual(await readdir(dir), []);
    });
  });

  Deno.test(name("refuses bad names and large uploads"), async () => {
    await withDir(async (dir) => {
      const packages = await PackageStore.open(dir, { maxBytes: 100_000, inspect: null });
      await using running = await startServer({ listener, packages });
      const put = (file: string, body: BodyInit) =>
        fetch(`${running.http}/packages/${file}`, { method: "PUT", body });
      const bad = ["..%2f..%2fevil-1.0.0.tar.gz", "hello.tar.gz", ".hello-1.0.0.tar.gz"]
        .concat("hello-1.0.0.tar.gz%00", "hello-1.0.0.zip", "%ff", "a%2fb-1.0.0.tar.gz");
      for (const file of bad) {
        assert.deepEqual(
          await errorOf(await put(file, "x")),
          { status: 400, code: "invalid_params" },
          file,
        );
      }
      const big = new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024)), // without an end
      });
      const outcome = await put(FILE, big).then(errorOf).catch(() => null);
      // The answer may be lost when the client is still sending; the file must not be there either way.
      if (outcome !== null) assert.deepEqual(outcome, { status: 413, code: "too_large" });
      await eventually(async () => (await readdir(dir)).length === 0, "the part file is gone");
    });
  });

  Deno.test(
    name("streams a large package in both directions"),
    async () => {
      await withDir(async (dir) => {
        const packages = await PackageStore.open(dir, { inspect: null });
        await using running = await startServer({ listener, packages });
        const url = `${running.http}/packages/${FILE}`;
        const piece = crypto.getRandomValues(new Uint8Array(64 * 1024));
        const total = 24 * 1024 * 1024;
        let left = total / piece.length;
        const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
          pull(controller) {
            if (left-- > 0) controller.enqueue(piece);
            else controller.close();
          },
        });
        const info = await (await fetch(url, { method: "PUT", body })).json();
        assert.equal(info.size, total);
        const hash = createHash("sha256");
        for await (const chunk of (await fetch(url)).body ?? []) hash.update(chunk);
        assert.equal(hash.digest("hex"), info.sha256);

        const quitter = await Deno.connect({ hostname: "127.0.0.1", port: running.server.port });
        const head = `GET /packages/${FILE} HTTP/1.1\r\nhost: localhost\r\n\r\n`;
        await quitter.write(new TextEncoder().encode(head));
        await quitter.read(new Uint8Array(1000));
        quitter.close();
        assert.equal((await (await fetch(`${running.http}/healthz`)).json()).status, "ok");
        await eventually(
          () => !isOpen(`${dir}/${FILE}`),
          "the package that nobody reads is closed",
        );
      });
    },
  );

  Deno.test(name("answers requests that make no sense with 4xx"), async () => {
    await using running = await startServer({ listener });
    const heads = [
      "GET / HTTP/1.1\r\nhost: a b c\r\n\r\n",
      "TRACE /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ]
      .concat("GET //evil HTTP/1.1\r\nhost: [::\r\n\r\n", "NONSENSE\r\n\r\n");
    for (const head of heads) {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port: running.server.port });
      await conn.write(new TextEncoder().encode(head));
      await conn.closeWrite();
      const buffer = new Uint8Array(1000);
      const count = await conn.read(buffer).catch(() => null);
      conn.close();
      const answer = new TextDecoder().decode(buffer.subarray(0, count ?? 0));
      assert.match(answer, /^(HTTP\/1\.[01] 4\d\d|$)/, head);
    }
    assert.equal((await (await fetch(`${running.http}/healthz`)).json()).status, "ok");
  });

  Deno.test(name("lets no Host move the path that is asked for"), async () => {
    await using running = await startServer({ listener });
    for (const host of ["", "a/healthz?", "a/healthz#", "localhost\\healthz?", "me@localhost"]) {
      using conn = await Deno.connect({ hostname: "127.0.0.1", port: running.server.port });
      const head = `GET /x/healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
      await conn.write(new TextEncoder().encode(head));
      const answer = await new Response(conn.readable).text();
      assert.match(answer, /^HTTP\/1\.1 400 /, host);
    }
  });

  // The JDK's client and `curl --http2` offer it with each request.
  Deno.test(name("takes an upload that offers another upgrade"), async () => {
    await withDir(async (dir) => {
      const packages = await PackageStore.open(dir, { inspect: null });
      await using running = await startServer({ listener, packages });
      const { port } = running.server;
      using conn = await Deno.connect({ hostname: "127.0.0.1", port });
      const head = [
        `PUT /packages/${FILE} HTTP/1.1`,
        `Host: localhost:${port}`,
        "Connection: Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA",
        "Content-Length: 5",
      ];
      await conn.write(new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n`));
      await conn.write(new TextEncoder().encode("hello"));
      const buffer = new Uint8Array(1000);
      const count = await conn.read(buffer);
      const answer = new TextDecoder().decode(buffer.subarray(0, count ?? 0));
      assert.match(answer, /^HTTP\/1\.1 201 /);
      assert.equal((await packages.list())[0]?.sha256, sha256(new TextEncoder().encode("hello")));
    });
  });

  Deno.test(name("keeps nothing of an upload that was broken off"), async () => {
    await withDir(async (dir) => {
      const packages = await PackageStore.open(dir, { inspect: null });
      await using running = await startServer({ listener, packages });
      const conn = await Deno.connect({ hostname: "127.0.0.1", port: running.server.port });
      const head =
        `PUT /packages/${FILE} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n`;
      await conn.write(new TextEncoder().encode(head + "x".repeat(10_000)));
      await eventually(async () => (await readdir(dir)).length === 1, "the part file is there");
      conn.close();
      await eventually(async () => (await readdir(dir)).length === 0, "the part file is gone");
    });
  });

  Deno.test(name("guards packages with token, host and origin"), async () => {
    await withDir(async (dir) => {
      const packages = await PackageStore.open(dir, { inspect: null });
      await writeFile(join(dir, FILE), "content");
      const auth = { tokens: ["full-token-1234567"], readTokens: ["read-token-1234567"] };
      await using running = await startServer({ listener, packages, auth });
      const ask = (method: string, headers: Record<string, string>) =>
        fetch(`${running.http}/packages/${FILE}`, {
          method,
          headers,
          ...(method === "PUT" ? { body: "content" } : {}),
        });
      const full = { authorization: "Bearer full-token-1234567" };
      const read = { authorization: "Bearer read-token-1234567" };
      for (const method of ["GET", "PUT", "DELETE"]) {
        assert.equal((await errorOf(await ask(method, {}))).status, 401);
        const foreign = await ask(method, { ...full, origin: "https://evil.example.com" });
        assert.equal((await errorOf(foreign)).status, 403);
      }
      assert.equal(await (await ask("GET", read)).text(), "content");
      assert.equal((await errorOf(await ask("PUT", read))).code, "forbidden");
      assert.equal((await errorOf(await ask("DELETE", read))).code, "forbidden");
      assert.equal((await ask("DELETE", full)).status, 204);
      const health = await fetch(`${running.http}/healthz`);
      assert.deepEqual(await health.json(), { status: "ok" });
    });
  });
}

Deno.test("PackageStore.put(): inspects a file before renaming it", async () => {
  await withDir(async (dir) => {
    const store = await PackageStore.open(dir, {
      inspect: async (path) => {
        const text = await Deno.readTextFile(path);
        if (text === "bad") throw new HarnessError("package_invalid", "Cannot read it: bad");
        return { name: "he@llo", version: text };
      },
    });
    const put = (file: string, text: string) => store.put(file, new Blob([text]).stream());
    await assert.rejects(put("he_llo-1.0.0.tar.gz", "bad"), { code: "package_invalid" });
    await assert.rejects(put("he_llo-1.0.0.tar.gz", "2.0.0"), { code: "package_invalid" });
    const info = await put("he_llo-1.0.0_b.tar.gz", "1.0.0+b");
    assert.equal((await store.resolve("he@llo@1.0.0+b")).info.sha256, info.sha256);
    assert.equal((await store.resolve("he_llo-1.0.0_b.tar.gz")).path, join(dir, info.file));
    await assert.rejects(store.resolve("hello@9.9.9"), { code: "not_found" });
    await assert.rejects(store.resolve("../x-1.0.0.tar.gz"), { code: "not_found" });
  });
});

Deno.test("PackageStore.put(): an aborted upload is cancelled", async () => {
  await withDir(async (dir) => {
    const store = await PackageStore.open(dir, { inspect: null });
    // As the two listeners report it: without and with a code that looks like the file system's.
    const reset = Object.assign(new Error("aborted"), { code: "ECONNRESET" });
    for (const cause of [new Deno.errors.BadResource("no body any more"), reset]) {
      let sent = false;
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          if (sent) return controller.error(cause);
          sent = true;
          controller.enqueue(new Uint8Array(10));
        },
      });
      await assert.rejects(store.put(FILE, body), { code: "cancelled", cause });
      assert.deepEqual(await readdir(dir), []);
    }
  });
});

Deno.test("PackageStore: one of several concurrent uploads wins", async () => {
  await withDir(async (dir) => {
    const store = await PackageStore.open(dir, { inspect: null });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) => store.put(FILE, new Blob([`content ${i}`]).stream())),
    );
    const won = outcomes.filter((outcome) => outcome.status === "fulfilled");
    assert.equal(won.length, 1);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") assert.equal(outcome.reason.code, "already_exists");
    }
    assert.deepEqual(await readdir(dir), [FILE]);
  });
});

Deno.test("PackageStore.open(): removes interrupted uploads", async () => {
  await withDir(async (dir) => {
    await writeFile(join(dir, ".0000.part"), "half");
    await writeFile(join(dir, "api-2-1.2.3-rc.1.tar.gz"), "by hand");
    await writeFile(join(dir, "notes.txt"), "not a package");
    const store = await PackageStore.open(dir, { inspect: null });
    const [info, ...more] = await store.list();
    assert.deepEqual(more, []);
    assert.deepEqual([info?.name, info?.version], ["api-2", "1.2.3-rc.1"]);
    assert.deepEqual((await readdir(dir)).toSorted(), ["api-2-1.2.3-rc.1.tar.gz", "notes.txt"]);
  });
});

Deno.test("PackageStore.open(): names an unusable directory", async () => {
  await withDir(async (dir) => {
    await writeFile(join(dir, "file"), "");
    await assert.rejects(
      PackageStore.open(join(dir, "file", "packages")),
      (error: HarnessError) => {
        assert.equal(error.code, "storage_unavailable");
        assert.match(error.message, /file\/packages/);
        return true;
      },
    );
  });
});
