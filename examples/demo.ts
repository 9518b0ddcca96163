/**
 * The product in under a minute: build, deploy over real SSH, watch, restart, update, roll back, clean up.
 *
 *     deno task demo
 *
 * Nothing outside one temp folder is touched. Where no sshd is installed, the local executor is used
 * instead, and the demo reports it.
 */
import { RegistryClient } from "@harness/service-registry/client";
import { connectSsh } from "@harness/service-registry/executor";
import { buildPackage } from "@harness/service-registry/package";
import { type Sshd, startSshd } from "../tests/helpers/sshd.ts";
import { has } from "../tests/helpers/require.ts";

const VERSIONS = ["1.0.0", "1.1.0"];

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Builds one package per version from the same tree, listening on `port`. */
async function buildPackages(workDir: string, port: number): Promise<string[]> {
  const files: string[] = [];
  for (const version of VERSIONS) {
    const tree = `${workDir}/hello-${version}`;
    await copyTree(new URL("./hello-service/", import.meta.url).pathname, tree);
    const manifest = await Deno.readTextFile(`${tree}/manifest.yaml`);
    await Deno.writeTextFile(
      `${tree}/manifest.yaml`,
      manifest.replace(/^version: .*$/m, `version: ${version}`)
        .replace(/port: \d+/, `port: ${port}`),
    );
    const built = await buildPackage(tree, { outDir: workDir });
    say(
      `  ${built.path.slice(workDir.length + 1)}  sha256:${
        built.sha256.slice(0, 16)
      }…  ${built.size} bytes`,
    );
    files.push(built.path);
  }
  return files;
}

async function copyTree(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const entry of Deno.readDir(from)) {
    if (entry.isDirectory) await copyTree(`${from}/${entry.name}`, `${to}/${entry.name}`);
    else await Deno.copyFile(`${from}/${entry.name}`, `${to}/${entry.name}`);
  }
}

/** Starts the real server as a child process and reads its one ready line. */
async function startServer(workDir: string, sshd: Sshd | null) {
  const ssh = sshd === null
    ? []
    : ["--identity", sshd.identityFile, "--known-hosts", sshd.knownHostsFile];
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "-A", new URL("../src/cli/main.ts", import.meta.url).pathname, "serve"],
      ...["--listen", "127.0.0.1:0", "--state-dir", `${workDir}/state`],
      ...["--install-root", `${workDir}/opt`, "--log-level", "warning", ...ssh],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await reader.read();
  const url = /listening on (wss?:\S+)/.exec(value ?? "")?.[1];
  if (url === undefined) throw new Error(`The server did not start: ${value ?? "no output"}`);
  say(`  ${(value ?? "").trim()}`);
  return {
    url,
    // Made by the server at its first start: only its own user can read it.
    token: (await Deno.readTextFile(`${workDir}/state/token`)).trim(),
    async stop() {
      child.kill("SIGTERM");
      await child.status;
      await reader.cancel();
    },
  };
}

/** Uploads a package, deploys it, and prints every step until the deployment has ended. */
async function deploy(
  { client, httpUrl, token }: { client: RegistryClient; httpUrl: string; token: string },
  file: string,
  target: string,
) {
  const name = file.slice(file.lastIndexOf("/") + 1);
  const upload = await fetch(`${httpUrl}/packages/${name}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${token}` },
    body: await Deno.readFile(file),
  });
  if (!upload.ok) throw new Error(`Upload failed: ${await upload.text()}`);
  await upload.body?.cancel();
  await follow(client, () => client.call("deploy_package", { package: name, target }));
}

/** Starts something that answers with a deployment id and prints its events to the end. */
async function follow(client: RegistryClient, begin: () => Promise<{ deployment_id: string }>) {
  const abort = new AbortController();
  const events = client.events({ events: ["deployment_progress"], signal: abort.signal });
  const iterator = events[Symbol.asyncIterator]();
  const first = iterator.next(); // subscribed before the deployment begins
  const { deployment_id } = await begin();
  try {
    for (let next = await first; next.done !== true; next = await iterator.next()) {
      const item = next.value;
      if (item.kind !== "event" || item.data.deployment_id !== deployment_id) continue;
      const { data } = item;
      if (data.host !== null) {
        const note = data.message === undefined ? "" : `  ${data.message}`;
        say(`  ${data.host}  ${data.step.padEnd(9)} ${data.status.padEnd(8)}${note}`);
      } else if (data.step === "finish") {
        say(`  deployment ${data.deployment_status}`);
        if (data.deployment_status !== "succeeded") throw new Error("The deployment failed");
        return;
      }
    }
  } finally {
    abort.abort();
  }
}

async function show(client: RegistryClient, port: number): Promise<void> {
  const service = await client.call("get_service", { name: "hello-service" });
  const answer = await (await fetch(`http://127.0.0.1:${port}/`)).text();
  say(`  registry: ${service.id} ${service.version} is ${service.state}`);
  say(`  http://127.0.0.1:${port}/ answers: ${answer.trim()}`);
}

/** A real sshd that really lets us in, or `null` with the reason said. */
async function usableSshd(): Promise<Sshd | null> {
  if (!has("sshd")) {
    say("  no sshd is installed (apt-get install openssh-server): using the local executor");
    return null;
  }
  let sshd: Sshd | null = null;
  try {
    sshd = await startSshd();
    const { host, port, user, identityFile, knownHostsFile } = sshd;
    await using probe = await connectSsh({ host, port, user, identityFile }, {
      knownHostsFiles: [knownHostsFile],
      sshConfigFile: null,
    });
    await probe.run({ argv: ["true"] });
    return sshd;
  } catch (error) {
    await sshd?.stop();
    say(`  this user cannot use an sshd here: ${error instanceof Error ? error.message : error}`);
    say("  using the local executor instead");
    return null;
  }
}

async function main(cleanup: AsyncDisposableStack): Promise<void> {
  const workDir = await Deno.makeTempDir({ prefix: "harness-demo-" });
  cleanup.defer(() => Deno.remove(workDir, { recursive: true }));
  cleanup.defer(() => endLeftovers(workDir));
  const port = freePort();

  say("1. Build two versions of examples/hello-service");
  const [v1, v2] = await buildPackages(workDir, port) as [string, string];

  say("2. Start a real sshd, and the server");
  const sshd = await usableSshd();
  if (sshd !== null) {
    cleanup.use(sshd);
    say(`  sshd listening on ${sshd.host}:${sshd.port}`);
  }
  const target = sshd === null ? "local" : `${sshd.user}@${sshd.host}:${sshd.port}`;
  const server = await startServer(workDir, sshd);
  cleanup.defer(() => server.stop());
  const { token } = server;
  const httpUrl = server.url.replace(/^ws/, "http").replace(/\/$/, "");
  const client = cleanup.use(await RegistryClient.connect(server.url, { token }));
  // Also when interrupted: nothing of the demo keeps running.
  cleanup.defer(() => stopService(client));

  say(`3. Deploy 1.0.0 to ${target}`);
  await deploy({ client, httpUrl, token }, v1, target);
  await show(client, port);

  say("4. Restart it");
  const restarted = await client.call("service_action", {
    name: "hello-service",
    action: "restart",
  });
  say(`  ${restarted.service}: ${restarted.old_state} → ${restarted.new_state}`);
  await show(client, port);

  say(`5. Deploy 1.1.0 to ${target}`);
  await deploy({ client, httpUrl, token }, v2, target);
  await show(client, port);

  say("6. Roll back to the last good version");
  await follow(client, () => client.call("rollback_service", { name: "hello-service" }));
  await show(client, port);

  say("7. Stop it and clean up");
}

/**
 * Kills what still runs out of the demo's folder: nothing, unless Ctrl-C took sshd and server away before
 * they could stop the service.
 */
async function endLeftovers(workDir: string): Promise<void> {
  for await (const { name } of Deno.readDir("/proc")) {
    const pid = Number(name);
    if (!(pid > 1) || pid === Deno.pid) continue;
    const command = await Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "");
    if (!command.includes(workDir)) continue;
    try {
      Deno.kill(pid, "SIGKILL");
    } catch {
      // It has just ended by itself.
    }
  }
}

/** Stops what the demo started: a running deployment is rolled back first, so that nothing keeps running. */
async function stopService(client: RegistryClient): Promise<void> {
  for (const deployment of await client.call("list_deployments", {})) {
    if (deployment.finished_at !== null) continue;
    const { deployment_id } = deployment;
    await client.call("cancel_deployment", { deployment_id });
    while ((await client.call("get_deployment", { deployment_id })).finished_at === null) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  const services = await client.listServices({ state: "running" });
  for (const { id } of services) await client.call("service_action", { name: id, action: "stop" });
}

const cleanup = new AsyncDisposableStack();
let interrupted = false;
for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.addSignalListener(signal, () => {
    if (interrupted) return;
    interrupted = true;
    say("Interrupted: cleaning up");
    cleanup.disposeAsync().finally(() => Deno.exit(code));
  });
}
try {
  await main(cleanup);
  await cleanup.disposeAsync();
  say("Done.");
  Deno.exit(0);
} catch (error) {
  // What an interrupt took away is not a failure of its own.
  if (!interrupted) {
    say(`The demo failed: ${error instanceof Error ? error.message : error}`);
    await cleanup.disposeAsync();
    Deno.exit(1);
  }
}
