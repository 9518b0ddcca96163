// deno-lint-ignore-file no-console
/**
 * A test that runs a whole server and a deployed service, and leaves nothing behind: no process, port or file.
 *
 * ```sh
 * deno run -A examples/test_harness.ts examples/hello-service
 * ```
 *
 * @module
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import {
  type ControlPlane,
  Documents,
  MemoryStore,
  openControlPlane,
  PackageStore,
  Registry,
  serve,
  sshHostDirectory,
  type WsServer,
} from "@harness/service-registry";
import { deployAndFollow, RegistryClient } from "@harness/service-registry/client";
import { packageFile } from "@harness/service-registry/deploy";
import { buildPackage } from "@harness/service-registry/package";

/** A server in a directory of its own, on a free port, and a client that may do everything. */
class TestServer implements AsyncDisposable {
  readonly #dir: string;
  readonly #controlPlane: ControlPlane;
  readonly #server: WsServer;
  readonly client: RegistryClient;

  static async start(): Promise<TestServer> {
    const dir = await mkdtemp(join(tmpdir(), "test-server-"));
    const controlPlane = await openControlPlane({
      registry: await Registry.open(new MemoryStore()),
      packages: await PackageStore.open(join(dir, "packages")),
      documents: new Documents({ dir }),
      hosts: sshHostDirectory({ installRoot: join(dir, "opt") }),
      localRunRoot: join(dir, "run"),
    });
    const token = randomUUID();
    const server = await serve({ ...controlPlane, port: 0, auth: { tokens: [token] } });
    const client = await RegistryClient.connect(server.url, { token });
    return new TestServer(dir, controlPlane, server, client);
  }

  private constructor(
    dir: string,
    controlPlane: ControlPlane,
    server: WsServer,
    client: RegistryClient,
  ) {
    this.#dir = dir;
    this.#controlPlane = controlPlane;
    this.#server = server;
    this.client = client;
  }

  /** Builds the package in a directory and deploys it to this machine; returns when it is healthy. */
  async deploy(packageDir: string, env: Record<string, string>): Promise<void> {
    const { path } = await buildPackage(packageDir, { outDir: this.#dir });
    const { file, open } = await packageFile(path);
    await this.#controlPlane.packages.put(file, await open());
    const steps = deployAndFollow(this.client, { package: file, target: "local", env });
    let next = await steps.next();
    while (!next.done) next = await steps.next();
    const { status, hosts } = next.value;
    assert.equal(status, "succeeded", hosts[0]?.error?.message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { registry } = this.#controlPlane;
    for (const { id, state } of registry.list()) {
      if (state === "running") await this.client.serviceAction({ name: id, action: "stop" });
    }
    await this.client.close();
    await this.#server.shutdown();
    await this.#controlPlane.close();
    await registry.close();
    await rm(this.#dir, { recursive: true });
  }
}

{
  await using server = await TestServer.start();
  const port = process.argv[3] ?? "18080";
  await server.deploy(process.argv[2] ?? "examples/hello-service", { HARNESS_PORT_HTTP: port });

  const [endpoint] = await server.client.resolveEndpoint("hello-service");
  const response = await fetch(`http://${endpoint?.address}/`);
  assert.equal((await response.json()).version, "1.0.0");
  console.log(`hello-service answers on ${endpoint?.address}`);
}
