// deno-lint-ignore-file no-console
/**
 * Builds a package and deploys it over SSH to the hosts of a file, without a server, and prints every step.
 *
 * ```sh
 * deno run -A examples/deploy.ts examples/hello-service hosts.json
 * ```
 *
 * `hosts.json` is a list such as `[{"target": "deploy@web1", "env": {"HARNESS_PORT_HTTP": "8081"}}, …]`.
 *
 * @module
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { sshHostDirectory } from "@harness/service-registry";
import { deploy, packageFile } from "@harness/service-registry/deploy";
import { buildPackage } from "@harness/service-registry/package";
import type { Target } from "@harness/service-registry/protocol";

const [packageDir = ".", hostsFile = "hosts.json"] = process.argv.slice(2);
const fleet: Array<{ target: Target; env?: Record<string, string> }> = JSON.parse(
  await readFile(hostsFile, "utf8"),
);
const hosts = sshHostDirectory();
const outDir = await mkdtemp(join(tmpdir(), "deploy-"));
const { path } = await buildPackage(packageDir, { outDir });

const progress = deploy({
  kind: "deploy",
  deploymentId: `d-${Date.now()}`,
  package: await packageFile(path),
  hosts: fleet.map(({ target, env = {} }) => ({ ...hosts.resolve(target), env })),
  // First one host, then two at a time; the first failure stops the rest.
  strategy: { canary: 1, parallel: 2, maxFailures: 0 },
});
for await (const { host, step, status, message, deployment_status } of progress) {
  console.log(host ?? "all hosts", step, status, message ?? "");
  if (deployment_status !== undefined && deployment_status !== "succeeded") process.exitCode = 1;
}
await rm(outDir, { recursive: true });
