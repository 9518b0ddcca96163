/** What the quick tests share: packages and plans for hosts in memory. */
import type { DeployPackage, DeployPlan } from "../../src/deploy/plan.ts";
import { parseManifest } from "../../src/package/manifest/parse.ts";
import { type Faults, FaultyExecutor } from "../helpers/faulty_executor.ts";
import type { MemoryHost } from "../helpers/memory_host/host.ts";

/** Where the bookkeeping of the service `web` is. */
export const BASE = "/opt/.harness/web";

/** A package of the service `web`; hosts in memory never unpack it. */
export async function memoryPackage(version: string, yaml = ""): Promise<DeployPackage> {
  const bytes = new TextEncoder().encode(`package ${version} ${yaml}`);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return {
    open: () => Promise.resolve(new Blob([bytes]).stream()),
    file: `web-${version}.tar.gz`,
    sha256: Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join(""),
    size: bytes.length,
    manifest: parseManifest(
      `name: web\nversion: ${version}\nservice: {type: managed_process}\n${yaml}`,
    ),
  };
}

/** A plan that waits for nothing. */
export function memoryPlan(
  source: DeployPackage,
  hosts: readonly MemoryHost[],
  more: Partial<DeployPlan> = {},
): DeployPlan {
  return {
    kind: "deploy",
    deploymentId: `d-${crypto.randomUUID().slice(0, 8)}`,
    package: source,
    hosts: hosts.map((host) => host.target()),
    timing: { settleMs: 0, healthPollMs: 1, lockPollMs: 1 },
    ...more,
  } as DeployPlan;
}

/** `host` as the only target, with faults on its first connection; `again` says whether a second one comes about. */
export function faultyTarget(
  host: MemoryHost,
  faults: Faults,
  again = true,
): DeployPlan["hosts"] {
  let connections = 0;
  const connect = async () => {
    host.reachable = connections++ === 0 || again;
    const executor = await host.connect();
    return connections === 1 ? new FaultyExecutor(executor, faults) : executor;
  };
  return [host.target({ connect })];
}
