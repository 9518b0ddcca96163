/**
 * `deno run -A tests/bench/hostile/deploy.ts`: a deployment of about 30 s on this machine, through a server with
 * 5,000 services at which 20 clients flood, replay, stall and hang up meanwhile. Says how it ended, how late
 * timers were, and how near the renewals of the deployment's lock came to its end.
 */
import { DEPLOY_LOCK_TTL_MS } from "../../../src/deploy/limits.ts";
import { startControlServer } from "../../helpers/control_server.ts";
import { buildHello, freePort, upload } from "../../helpers/hello_package.ts";
import { RawClient } from "../../helpers/raw_client.ts";
import { service } from "../../helpers/test_server.ts";

const SERVICES = 5000;
const script = new URL("./peers.ts", import.meta.url).pathname;
const dir = await Deno.makeTempDir({ prefix: "hostile-deploy-" });
/** Healthy only after 25 s: the lock, which lives 20 s, must be renewed several times. */
const HEALTH = `#!/bin/sh
[ -f "${dir}/begun" ] || date +%s > "${dir}/begun"
[ $(($(date +%s) - $(cat "${dir}/begun"))) -ge 25 ] || exit 2
`;
await using server = await startControlServer({ dir });
for (let i = 0; i < SERVICES; i += 500) {
  const some = Array.from({ length: 500 }, (_, k) => service(`service-${i + k}`));
  await Promise.all(some.map((one) => server.registry.register(one)));
}
const built = await buildHello(dir, {
  version: "1.0.0",
  port: freePort(),
  health: HEALTH,
  manifest: (text) =>
    text.replace(
      /\nhealth:\n(?: .*\n)+/,
      "\nhealth:\n  script: scripts/health.sh\n  interval: 1s\n  timeout: 5s\n  retries: 3\n  start_period: 60s\n",
    ),
});
const file = await upload(server.http, built);

const { port } = new URL(server.url);
const peers = new Deno.Command(Deno.execPath(), {
  args: ["run", "-A", script, "flood", port, server.registry.epoch],
}).spawn();
let lag = 0;
let last = performance.now();
const ticks = setInterval(() => {
  const now = performance.now();
  lag = Math.max(lag, now - last - 20);
  last = now;
}, 20);
const lockFile = `${dir}/opt/.harness/hello-service/lock`;
let oldest = 0;
const looks = setInterval(async () => {
  for (const path of [lockFile, `${lockFile}/expires`, `${lockFile}/owner`]) {
    const info = await Deno.stat(path).catch(() => null);
    if (info?.isFile) oldest = Math.max(oldest, Date.now() - (info.mtime?.getTime() ?? Date.now()));
  }
}, 200);
const begun = performance.now();
await using client = await RawClient.ready(server.url, { deadlineMs: 180_000 });
await client.call("subscribe", { events: ["deployment_progress"], services: ["hello-service"] });
const { deployment_id } = await client.call("deploy_package", { package: file, target: "local" });
const end = await client.take(
  (frame) =>
    frame["event"] === "deployment_progress" && frame["data"].deployment_id === deployment_id &&
    frame["data"].step === "finish" && frame["data"].host === null,
  "the end of the deployment",
);
clearInterval(ticks);
clearInterval(looks);
const took = ((performance.now() - begun) / 1000).toFixed(1);
peers.kill("SIGKILL");
const text = `deployment ${end["data"].deployment_status} after ${took} s under flood; ` +
  `timers at most ${Math.round(lag)} ms late; ` +
  `lock at most ${Math.round(oldest)} ms old of ${DEPLOY_LOCK_TTL_MS} ms\n`;
Deno.stdout.writeSync(new TextEncoder().encode(text));
await client.call("service_action", { name: "hello-service", action: "stop" });
await client.close();
await server[Symbol.asyncDispose]();
await Deno.remove(dir, { recursive: true });
Deno.exit();
