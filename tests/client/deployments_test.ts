import assert from "node:assert/strict";
import {
  deployAndFollow,
  type Deployment,
  followDeployment,
  RegistryClient,
} from "../../src/client/mod.ts";
import { failure } from "../helpers/rejects.ts";
import { type Peer, ScriptedServer } from "./scripted_server.ts";

const reconnect = { minDelayMs: 1, maxDelayMs: 5 };

function deployment(finished_at: string | null, status: Deployment["status"]): Deployment {
  const common = { package: "web-1.0.0.tar.gz", service: "web", version: "1.0.0" };
  const times = { started_at: "2026-01-01T00:00:00.000Z", finished_at };
  return { deployment_id: "d-1", kind: "deploy", ...common, ...times, status, hosts: [] };
}
const RUNNING = deployment(null, "running");
const DONE = deployment("2026-01-01T00:00:09.000Z", "succeeded");

function progress(peer: Peer, seq: number, id: string, host: string | null, step: string): void {
  peer.event("deployment_progress", {
    deployment_id: id,
    service: "web",
    id: null,
    host,
    step,
    status: "done",
    at: "2026-01-01T00:00:00.000Z",
  }, seq);
}

/** Answers the next request, which must be of this action. */
async function answer(peer: Peer, action: string, data: unknown): Promise<void> {
  const request = await peer.request();
  assert.equal(request.action, action);
  peer.respond(request, data);
}

/** All that a follower gives: its steps, then how it ended. */
async function collect(
  follower: AsyncGenerator<{ host: string | null; step: string }, Deployment>,
): Promise<[steps: string[], end: Deployment]> {
  const steps: string[] = [];
  for (;;) {
    const { done, value } = await follower.next();
    if (done) return [steps, value];
    steps.push(`${value.host} ${value.step}`);
  }
}

Deno.test("deployAndFollow: misses no step, ends with the deployment", async () => {
  await using server = new ScriptedServer();
  const connecting = RegistryClient.connect(server.url, { reconnect });
  const peer = await server.greet();
  await using client = await connecting;
  const following = collect(
    deployAndFollow(client, { package: "web-1.0.0.tar.gz", target: "local" }),
  );
  const { params } = await peer.acknowledge();
  assert.deepEqual(params, { events: ["deployment_progress"] });
  progress(peer, 1, "d-1", "local", "connect"); // before we know its id
  await answer(peer, "deploy_package", { deployment_id: "d-1" });
  await answer(peer, "get_deployment", RUNNING);
  progress(peer, 2, "d-other", "local", "connect");
  progress(peer, 3, "d-1", "local", "finish");
  progress(peer, 4, "d-1", null, "finish");
  await answer(peer, "get_deployment", DONE);
  assert.deepEqual(await following, [["local connect", "local finish", "null finish"], DONE]);
});

Deno.test("followDeployment: returns an ended one at once", async () => {
  await using server = new ScriptedServer();
  const connecting = RegistryClient.connect(server.url, { reconnect });
  const peer = await server.greet();
  await using client = await connecting;
  const following = collect(followDeployment(client, "d-1"));
  await peer.acknowledge();
  await answer(peer, "get_deployment", DONE);
  assert.deepEqual(await following, [[], DONE]);
});

Deno.test("followDeployment: survives a lost server, polls in silence", async () => {
  await using server = new ScriptedServer();
  const connecting = RegistryClient.connect(server.url, { reconnect });
  const peer = await server.greet();
  await using client = await connecting;
  const following = collect(followDeployment(client, "d-1", { pollIntervalMs: 20 }));
  await peer.acknowledge();
  await answer(peer, "get_deployment", RUNNING);
  peer.close(1001);
  const second = await server.greet();
  const interrupted = deployment("2026-01-01T00:00:05.000Z", "interrupted");
  for (let asked = false; !asked;) {
    const request = await second.request();
    asked = request.action === "get_deployment";
    if (asked) second.respond(request, interrupted);
    else {
      const ack = { subscribed: [], subscription: "s", epoch: "e1", seq: 0, resumed: "replayed" };
      second.respond(request, ack);
    }
  }
  assert.deepEqual(await following, [[], interrupted]);
});

Deno.test("followDeployment: stops by signal, or the server's error", async () => {
  await using server = new ScriptedServer();
  const connecting = RegistryClient.connect(server.url, { reconnect });
  const peer = await server.greet();
  await using client = await connecting;
  const aborter = new AbortController();
  const stopped = failure(collect(followDeployment(client, "d-1", { signal: aborter.signal })));
  await peer.acknowledge();
  await answer(peer, "get_deployment", RUNNING);
  aborter.abort();
  assert.equal((await stopped).code, "cancelled");
  await answer(peer, "unsubscribe", { subscribed: [] });
  const unknown = failure(collect(followDeployment(client, "d-none")));
  await peer.acknowledge();
  peer.fail(await peer.request(), "not_found");
  assert.equal((await unknown).code, "not_found");
});

Deno.test("followDeployment: gives up when the server stays away", async () => {
  await using server = new ScriptedServer();
  const connecting = RegistryClient.connect(server.url, { reconnect });
  const peer = await server.greet();
  await using client = await connecting;
  const options = { pollIntervalMs: 5, giveUpAfterMs: 20 };
  const lost = failure(collect(followDeployment(client, "d-1", options)));
  await peer.acknowledge();
  await answer(peer, "get_deployment", RUNNING);
  peer.close(1001);
  // Nobody greets the next connection: it never becomes one.
  assert.equal((await lost).code, "unreachable");
});
