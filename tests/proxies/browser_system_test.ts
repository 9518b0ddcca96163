/** examples/browser.html behind the proxies: Chromium speaks HTTP/2 with them, and its WebSockets pass. */
import type { Page } from "playwright-core";
import { openPage, startChromium } from "../client/chromium.ts";
import { freePort } from "../helpers/free_port.ts";
import { needs } from "../helpers/require.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { service, startServer } from "../helpers/test_server.ts";
import { codeBlocks, makeCertificates, startProxy } from "./proxies_fixture.ts";

const TOKEN = "a-token-of-128-bit-at-least";
const EXAMPLES = new URL("../../examples", import.meta.url).pathname;

/** The documented configuration of nginx, which also serves the page. */
async function withPage(): Promise<string> {
  const [config = ""] = await codeBlocks("reverse-proxy.md", "nginx");
  return config.replace(
    "  location / {",
    `  location = /browser.html { root ${EXAMPLES}; types { text/html html; } }\n\n  location / {`,
  );
}

/** Waits until the table of the page has this text. */
async function shows(page: Page, text: string): Promise<void> {
  await page.waitForFunction(
    `document.querySelector("tbody").innerText === ${JSON.stringify(text)}`,
  );
}

Deno.test({
  name: "browser.html: live through nginx, HAProxy and Caddy",
  ignore: needs("chromium", "nginx", "haproxy", "caddy", "openssl"),
  async fn() {
    await using dir = await tempDir();
    const tls = await makeCertificates(dir.path);
    const backend = freePort();
    const proxy = (name: "nginx" | "haproxy" | "caddy", more: { config?: string } = {}) =>
      startProxy(name, { dir: `${dir.path}/${name}`, tls, backend, ...more });
    await using nginx = await proxy("nginx", { config: await withPage() });
    await using haproxy = await proxy("haproxy");
    await using caddy = await proxy("caddy");
    const origin = `https://localhost:${nginx.port}`;
    await using server = await startServer({
      listener: "deno",
      port: backend,
      auth: { tokens: [TOKEN], allowOrigins: [origin] },
    });
    await server.registry.register(service("web"));
    const browser = await startChromium(["--ignore-certificate-errors"]);
    try {
      const urls = [
        "/harness/",
        `wss://localhost:${haproxy.port}/harness/`,
        `wss://localhost:${caddy.port}/harness/`,
      ];
      const pages = await Promise.all(urls.map(async (url) => {
        const page = await openPage(browser);
        await page.goto(`${origin}/browser.html?url=${url}#token=${TOKEN}`);
        await shows(page, "web\tregistered\t");
        return page;
      }));
      await server.registry.update("web", { state: "starting", state_reason: "because" });
      await Promise.all(pages.map((page) => shows(page, "web\tstarting\tbecause")));
      const refused = await openPage(browser);
      await refused.goto(`${origin}/browser.html?url=/harness/#token=wrong`);
      await refused.waitForFunction(
        `document.querySelector("p").innerText.startsWith("cannot connect")`,
      );
    } finally {
      await browser.close();
    }
  },
});
