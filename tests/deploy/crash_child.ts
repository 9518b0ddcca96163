/**
 * A process that deploys and that a test kills. Its one argument is JSON: what to deploy, where, over what.
 */
import { deploy } from "../../src/deploy/deploy.ts";
import { localExecutor } from "../../src/executor/local.ts";
import { connectSsh } from "../../src/executor/ssh/connect.ts";
import type { Manifest } from "../../src/package/manifest/manifest.ts";

/** What the child is told. */
export interface CrashOrder {
  deploymentId: string;
  root: string;
  file: string;
  sha256: string;
  size: number;
  manifest: Manifest;
  lockTtlMs: number;
  ssh:
    | { host: string; port: number; user: string; identityFile: string; knownHosts: string }
    | null;
}

if (import.meta.main) {
  const order = JSON.parse(Deno.args[0] ?? "") as CrashOrder;
  const { ssh } = order;
  const work = deploy({
    kind: "deploy",
    deploymentId: order.deploymentId,
    package: {
      open: async () => (await Deno.open(order.file)).readable,
      file: order.file,
      sha256: order.sha256,
      size: order.size,
      manifest: order.manifest,
    },
    hosts: [{
      label: "here",
      installRoot: order.root,
      connect: (signal) =>
        ssh === null ? Promise.resolve(localExecutor()) : connectSsh(
          { host: ssh.host, port: ssh.port, user: ssh.user, identityFile: ssh.identityFile },
          { knownHostsFiles: [ssh.knownHosts], sshConfigFile: null, agentSocket: null, signal },
        ),
    }],
    lockTtlMs: order.lockTtlMs,
  });
  /** Whether the host has taken the lock from us, and by that made fail whatever fails then. */
  const isLost = (): boolean => {
    try {
      const path = `${order.root}/.harness/${order.manifest.name}/lock`;
      return !Deno.readTextFileSync(path).startsWith(`${order.deploymentId}.`);
    } catch {
      return true;
    }
  };
  for await (const event of work) {
    const lost = event.status === "failed" && isLost() ? " (the lock is gone)" : "";
    const said = event.error?.message ?? event.message ?? "";
    const line = `${event.step}:${event.status} ${said}${lost}\n`;
    Deno.stdout.writeSync(new TextEncoder().encode(line));
  }
}
