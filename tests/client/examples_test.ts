/** The clients of examples/: each against a real server. */
import { checkClient, example } from "./examples_fixture.ts";

Deno.test("plain_client.mjs: lists and follows without a library", async () => {
  const args = (url: URL) => ["run", "--allow-net", example("plain_client.mjs"), url.href];
  await checkClient(Deno.execPath(), args, "subscribed");
});

Deno.test("watch.ts: follows with the client library", async () => {
  const permissions = ["--allow-net", "--allow-env"];
  const args = (url: URL) => ["run", ...permissions, example("watch.ts"), url.href];
  await checkClient(Deno.execPath(), args, null);
});
