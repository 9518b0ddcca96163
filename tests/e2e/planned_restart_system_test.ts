/** Restarts by policy across restarts of the server, each of them a process of its own. */
import assert from "node:assert/strict";
import { startServer } from "../helpers/cli.ts";
import { buildHello, freePort, upload } from "../helpers/hello_package.ts";
import { type Frame, RawClient } from "../helpers/raw_client.ts";
import { removeTree } from "../helpers/remove_tree.ts";

const NAME = "hello-service";

interface Session extends AsyncDisposable {
  client: RawClient;
  http: string;
  /** SIGKILL, or SIGTERM and a clean end. */
  end(signal: "SIGKILL" | "SIGTERM"): Promise<void>;
}

/** A server over `dir` and a client of it that gets every change of a state since the position in `seen`. */
async function open(dir: string, seen: { epoch: string; seq: number } | null): Promise<Session> {
  const server = await startServer(["--allow-unauthenticated", "--install-root", `${dir}/opt`], {
    stateDir: `${dir}/state`,
  });
  const client = await RawClient.ready(server.url, { deadlineMs: 60_000 });
  const resumed = await client.call("subscribe", seen === null ? {} : { since: seen });
  assert.equal(resumed["resumed"], seen === null ? "live" : "replayed");
  return {
    client,
    http: server.url.replace(/^ws/, "http"),
    async end(signal) {
      server.cli.kill(signal);
      const { code, stderr } = await server.cli.end();
      if (signal === "SIGTERM") assert.equal(code, 0, stderr);
    },
    async [Symbol.asyncDispose]() {
      await client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** The changes of state up to the first to `state`. */
async function until(client: RawClient, state: string): Promise<Frame[]> {
  const found: Frame[] = [];
  for (;;) {
    const frame = await client.event("service_state_changed");
    found.push({ ...frame["data"], seq: frame["seq"] });
    if (frame["data"].new_state === state) return found;
  }
}

const states = (frames: readonly Frame[]) => frames.map((frame) => frame["new_state"]);
const pidOf = async (client: RawClient): Promise<number> =>
  (await client.call("get_service", { name: NAME })).execution.pid;

Deno.test("restart policy: survives a server that is killed or stopped", async (t) => {
  const dir = await Deno.makeTempDir({ prefix: "harness-planned-" });
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => removeTree(dir));
  const built = await buildHello(dir, {
    version: "1.0.0",
    port: freePort(),
    manifest: (text) =>
      text.replace("backoff: 1s", "backoff: 3s").replace("max_retries: 5", "max_retries: 2"),
  });
  let session = await open(dir, null);
  cleanup.defer(() => session[Symbol.asyncDispose]());
  cleanup.defer(async () => {
    await session.client.request("service_action", { name: NAME, action: "stop" });
  });
  const epoch = session.client.log[0]?.["data"].epoch;
  const seen = { epoch, seq: 0 };
  /** Ends the server, does something to the service, and goes on with a new server. */
  const restart = async (signal: "SIGKILL" | "SIGTERM", meanwhile = () => {}) => {
    await session.end(signal);
    await session[Symbol.asyncDispose]();
    meanwhile();
    session = await open(dir, seen);
  };
  const next = async (state: string) => {
    const frames = await until(session.client, state);
    seen.seq = frames.at(-1)?.["seq"] ?? seen.seq;
    return frames;
  };

  const file = await upload(session.http, built);
  await session.client.call("deploy_package", { package: file, target: "local" });
  await next("running");
  await session.client.take((f) => f["data"]?.deployment_status === "succeeded", "the deployment");
  let pid = await pidOf(session.client);

  await t.step("SIGKILL while the service waits for its restart", async () => {
    Deno.kill(pid, "SIGKILL");
    assert.deepEqual(states(await next("failed")), ["failed"]);
    await restart("SIGKILL");
    const frames = await next("running");
    assert.deepEqual(states(frames), ["starting", "running"]);
    assert.equal(frames[1]?.["reason"], "restart 1 of 2 by policy");
    pid = await pidOf(session.client);
  });

  await t.step("it dies while there is no server: reported, and the count goes on", async () => {
    await restart("SIGKILL", () => Deno.kill(pid, "SIGKILL"));
    const frames = await next("running");
    assert.deepEqual(states(frames), ["failed", "starting", "running"]);
    assert.equal(frames[0]?.["reason"], "ended by SIGKILL while nobody watched");
    assert.equal(frames[0]?.["details"].signal, "SIGKILL");
    assert.equal(frames[2]?.["reason"], "restart 2 of 2 by policy");
    pid = await pidOf(session.client);
  });

  await t.step("given up as a crash loop: it stays given up", async () => {
    Deno.kill(pid, "SIGKILL");
    const [failed] = await next("failed");
    assert.match(failed?.["reason"], /^crash loop, gave up after 2 restarts/);
    await restart("SIGKILL");
    // A stop is refused: there is nothing to stop, and no restart to drop.
    const refused = await session.client.fail("service_action", { name: NAME, action: "stop" });
    assert.equal(refused.code, "invalid_transition");
    await session.client.call("service_action", { name: NAME, action: "start" });
    assert.deepEqual(states(await next("running")), ["starting", "running"]);
    pid = await pidOf(session.client);
  });

  await t.step(
    "SIGTERM while it waits: restarted by the next server, as after a kill",
    async () => {
      Deno.kill(pid, "SIGKILL");
      await next("failed");
      await restart("SIGTERM");
      const frames = await next("running");
      assert.deepEqual(states(frames), ["starting", "running"]);
      assert.equal(
        frames[1]?.["reason"],
        "restart 1 of 2 by policy",
        "the start began a new count",
      );
      pid = await pidOf(session.client);
    },
  );

  await t.step("stopped by a client while it waits: no server ever starts it", async () => {
    Deno.kill(pid, "SIGKILL");
    await next("failed");
    const answer = await session.client.call("service_action", { name: NAME, action: "stop" });
    assert.deepEqual([answer["old_state"], answer["new_state"]], ["failed", "failed"]);
    await restart("SIGKILL");
    const { state, state_reason } = await session.client.call("get_service", { name: NAME });
    assert.equal(state, "failed");
    assert.equal(state_reason, "stopped by client; before that: ended by SIGKILL");
    const kept = await Array.fromAsync(Deno.readDir(`${dir}/state/restarts`));
    assert.deepEqual(kept, []);
    await session.client.fail("service_action", { name: NAME, action: "stop" });
  });
});
