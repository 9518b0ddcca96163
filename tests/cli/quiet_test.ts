import assert from "node:assert/strict";
import { runCli, runHere, startServer } from "../helpers/cli.ts";

Deno.test("--quiet: results and errors, no more", async () => {
  await using server = await startServer();
  const run = (...args: string[]) => runHere(args, { HARNESS_URL: server.url });
  const web = ["register", "web", "--version", "1", "--command", "/x"];
  // Before the group, before the command, after it.
  for (const args of [["-q", "service", ...web], ["service", "--quiet", ...web, "--replace"]]) {
    const { code, stdout, stderr } = await run(...args);
    assert.deepEqual([code, stdout, stderr], [0, "", ""], args.join(" "));
  }
  assert.match((await run("services", "-q")).stdout, /^ID .*\nweb /);
  assert.deepEqual(await run("deployments", "-q"), { code: 0, stdout: "", stderr: "" });
  const failed = await run("service", ...web, "-q");
  assert.deepEqual([failed.code, failed.stdout], [1, ""]);
  assert.match(failed.stderr, /\[already_exists\]\n {2}hint: add --replace/);
  const both = await run("services", "-q", "-v");
  assert.equal(both.code, 2);
  assert.match(both.stderr, /Cannot use --quiet and --verbose together/);
});

Deno.test("--verbose: connections and requests on stderr", async () => {
  await using server = await startServer();
  const env = { HARNESS_URL: server.url };
  const { code, stdout, stderr } = await runCli(["services", "-v", "--json"], { env });
  assert.deepEqual([code, stdout], [0, "[]\n"]);
  assert.match(stderr, /^\[\d+\.\d{3} s\] connecting to ws:.* token of \S+\n/);
  assert.match(stderr, /^\[\d+\.\d{3} s\] connected to harness-ws-server /m);
  assert.match(stderr, /^\[\d+\.\d{3} s\] request list_services: ok in \d+ ms$/m);
  const token = (await Deno.readTextFile(`${server.stateDir}/token`)).trim();
  assert.ok(!stderr.includes(token));
});

Deno.test("--verbose: alone it is the version", async () => {
  const { code, stdout } = await runHere(["-v"]);
  assert.equal(code, 0);
  assert.equal(stdout, (await runHere(["--version"])).stdout);
});

Deno.test("serve: --quiet leaves warnings alone in the log", async () => {
  await using loud = await startServer();
  await loud.cli.until(({ stderr }) => /^\S+ INFO/m.test(stderr));
  await using quiet = await startServer(["--quiet"]);
  await runHere(["services"], { HARNESS_URL: quiet.url });
  assert.doesNotMatch(quiet.cli.stderr, /^\S+ INFO/m);
});
