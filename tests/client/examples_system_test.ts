/** The clients of examples/: each against a real server. */
import { needs } from "../helpers/require.ts";
import { service, startServer } from "../helpers/test_server.ts";
import { openPage, startChromium } from "./chromium.ts";
import { checkClient, example } from "./examples_fixture.ts";

Deno.test({
  name: "plain_client.mjs: works on Bun",
  ignore: needs("bun"),
  fn: () => checkClient("bun", (url) => [example("plain_client.mjs"), url.href], "subscribed"),
});

Deno.test({
  name: "plain_client.py: needs nothing but Python",
  ignore: needs("python3"),
  fn: () =>
    checkClient(
      "python3",
      ({ hostname, port }) => [example("plain_client.py"), hostname, port],
      "subscribed",
    ),
});

Deno.test({
  name: "browser.html: live, also after a restart of the server",
  ignore: needs("chromium"),
  fn: async () => {
    const html = await Deno.readTextFile(example("browser.html"));
    await using site = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      () => new Response(html, { headers: { "content-type": "text/html" } }),
    );
    const auth = {
      tokens: ["a-page's token"],
      allowOrigins: [`http://127.0.0.1:${site.addr.port}`],
    };
    const first = await startServer({ listener: "ws", auth });
    const { registry, server: { port } } = first;
    await registry.register(service("web"));
    const browser = await startChromium();
    try {
      const page = await openPage(browser);
      const query = `?url=${first.url}#token=${encodeURIComponent("a-page's token")}`;
      await page.goto(`http://127.0.0.1:${site.addr.port}/${query}`);
      const shows = (text: string) =>
        page.waitForFunction(
          `document.querySelector("tbody").innerText === ${JSON.stringify(text)}`,
        );
      await shows("web\tregistered\t");
      await registry.update("web", { state: "starting", state_reason: "because" });
      await shows("web\tstarting\tbecause");
      await first.server.shutdown();
      await registry.register(service("db"));
      await registry.deregister("web");
      await using _second = await startServer({ listener: "ws", auth, registry, port });
      await shows("db\tregistered\t").catch(async (cause) => {
        const said = await page.locator("body").innerText();
        throw new Error(`the page says ${JSON.stringify(said)}`, { cause });
      });
    } finally {
      await browser.close();
      await registry.close();
    }
  },
});
