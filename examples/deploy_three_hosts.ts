// deno-lint-ignore-file no-console
/**
 * Deploys a package over SSH to the hosts of a file, and prints every step. On Deno, Node 22 and Bun.
 *
 * ```sh
 * deno run -A examples/deploy_three_hosts.ts hello-service-1.0.0.tar.gz hosts.json
 * ```
 *
 * `hosts.json` is a list such as `[{"target": "deploy@web1", "env": {"HARNESS_PORT_HTTP": "8081"}}, …]`.
 *
 * @module
 */
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import process from "node:process";
import { Readable } from "node:stream";
import { sshHostDirectory } from "@harness/service-registry";
import { deploy } from "@harness/service-registry/deploy";
import { inspectPackage } from "@harness/service-registry/package";
import type { Target } from "@harness/service-registry/protocol";

const [file = "", hostsFile = ""] = process.argv.slice(2);
const fleet: Array<{ target: Target; env: Record<string, string> }> = JSON.parse(
  await readFile(hostsFile, "utf8"),
);
const directory = sshHostDirectory();
const { manifest, sha256, size } = await inspectPackage(file);
const open = () => Promise.resolve(Readable.toWeb(createReadStream(file)) as ReadableStream);
const progress = deploy({
  kind: "deploy",
  deploymentId: `d-${Date.now()}`,
  package: { file: basename(file), sha256, size, manifest, open },
  hosts: fleet.map(({ target, env }) => ({ ...directory.resolve(target), env })),
});
for await (const { host, step, status, message, deployment_status } of progress) {
  console.log(host ?? "all hosts", step, status, message ?? "");
  if (deployment_status !== undefined && deployment_status !== "succeeded") process.exitCode = 1;
}
