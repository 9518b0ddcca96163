/** The client in Deno, Node, Bun and a browser: the same visit to a server that is killed on the way. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { RegistryClient } from "../../src/client/mod.ts";
import { bundle } from "../helpers/bundle.ts";
import { LineProcess } from "../helpers/lines.ts";
import { needs } from "../helpers/require.ts";
import { nodePath } from "../helpers/runtimes.ts";
import { service } from "../helpers/test_server.ts";
import { openPage, startChromium } from "./chromium.ts";
import { type GuestReport, visit } from "./guest.ts";
import { KillableServer } from "./killable_server.ts";

const TOKEN = "visitors-token";

/** What every runtime must report. `refused` is what it can know of a refused handshake. */
function assertReport(report: GuestReport, refused: string): void {
  assert.deepEqual(report, {
    items: [
      "0 service_registered after",
      "0 service_registered before",
      "0 snapshot 0",
      "1 service_registered after",
    ],
    // The streams have a connection each, so their "resumed" may come before or after "connected".
    statuses: [
      "closed",
      "connected",
      "connected",
      "disconnected",
      "disconnected",
      "resumed",
      "resumed",
    ],
    errors: {
      "no token": refused,
      missing: "not_found",
      aborted: "cancelled",
      "too large": "too_large",
    },
    closed: "1000 null",
  });
}

/** Kills the server, starts it again and registers what the guest waits for. */
async function restart(server: KillableServer): Promise<void> {
  await server.kill();
  await server.start();
  await using client = await RegistryClient.connect(server.url, { token: TOKEN });
  await client.registerService(service("after"));
}

async function withTempDir(use: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "harness-guest-" });
  try {
    await use(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Bundles the guest and runs it as a program. */
async function visitFrom(runtime: string): Promise<GuestReport> {
  let report: GuestReport | undefined;
  await withTempDir(async (dir) => {
    const file = join(dir, "guest.mjs");
    await bundle({ entry: "tests/client/guest_main.ts", out: file });
    await using server = await KillableServer.start(TOKEN);
    const env = { TEST_TOKEN: TOKEN };
    await using guest = new LineProcess(runtime, [file, server.url], { env });
    assert.equal(await guest.line(), "ready");
    await restart(server);
    report = JSON.parse(await guest.line());
    assert.equal((await guest.status).code, 0, "it ends by itself: nothing keeps it alive");
  });
  assert(report !== undefined);
  return report;
}

Deno.test("client: works on Deno", async () => {
  await using server = await KillableServer.start(TOKEN);
  let restarting: Promise<void> | undefined;
  const report = await visit(server.url, { token: TOKEN }, () => restarting = restart(server));
  await restarting;
  assertReport(report, "unauthorized");
});

Deno.test({
  name: "client: works on Node",
  ignore: needs("node22"),
  fn: async () => assertReport(await visitFrom(await nodePath(22)), "unauthorized"),
});

Deno.test({
  name: "client: works on Bun",
  ignore: needs("bun"),
  fn: async () => assertReport(await visitFrom("bun"), "unauthorized"),
});

Deno.test({
  name: "client: works in a browser, as one file",
  ignore: needs("chromium"),
  fn: () =>
    withTempDir(async (dir) => {
      const file = join(dir, "guest.js");
      await bundle({ entry: "tests/client/guest.ts", out: file, platform: "browser" });
      const code = await Deno.readTextFile(file);
      assert.doesNotMatch(code, /\bDeno\.|from "node:|require\(/);
      await using server = await KillableServer.start(TOKEN);
      await using page = await openGuestPage(code);
      page.onReady(() => restart(server));
      // Browsers do not tell scripts with which status a handshake was refused.
      assertReport(await page.visit(server.url), "unreachable");
    }),
});

interface GuestPage extends AsyncDisposable {
  onReady(work: () => Promise<void>): void;
  visit(url: string): Promise<GuestReport>;
}

/** A page of a real browser, from a site of its own, with the guest as its script. */
async function openGuestPage(code: string): Promise<GuestPage> {
  const site = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const isScript = new URL(request.url).pathname === "/guest.js";
    return new Response(isScript ? code : "<!doctype html><title>guest</title>", {
      headers: { "content-type": isScript ? "text/javascript" : "text/html" },
    });
  });
  const browser = await startChromium();
  const page = await openPage(browser);
  let work = () => Promise.resolve();
  let working: Promise<void> | undefined;
  await page.exposeFunction("ready", () => {
    working = work();
  });
  await page.goto(`http://127.0.0.1:${site.addr.port}/`);
  return {
    onReady: (then) => work = then,
    async visit(url) {
      const call = `import("/guest.js").then(({ visit }) =>
        visit(${JSON.stringify(url)}, { token: ${JSON.stringify(TOKEN)} }, () => ready()))`;
      const report = await page.evaluate(call) as GuestReport;
      await working;
      return report;
    },
    async [Symbol.asyncDispose]() {
      await browser.close();
      await site.shutdown();
    },
  };
}
