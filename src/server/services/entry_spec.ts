/**
 * Derives the spec of a service that was registered with a plain command, without a package.
 *
 * @module
 */
import { join } from "node:path";
import { HarnessError } from "../../errors.ts";
import { driverFor } from "../../lifecycle/drivers/table.ts";
import type { ServiceSpec } from "../../lifecycle/service_spec.ts";
import type { ServiceEntry } from "../../model/service.ts";
import { executionInputSchema } from "../../model/service_schema.ts";
import { type HostDirectory, targetOf } from "../hosts/host_directory.ts";
import type { Placement } from "./placements.ts";
import { sha256 } from "../../util/node/digest.ts";

/** The spec of an entry, for its controller. `runRoot` is a writable directory on the entry's machine. */
function entrySpec(entry: ServiceEntry, runRoot: string): ServiceSpec {
  // An earlier version may have accepted an entry that is invalid now.
  const { success, error } = executionInputSchema.safeParse(entry.execution);
  if (!success) {
    const [issue] = error.issues;
    const field = ["execution", ...issue?.path ?? []].join(".");
    throw new HarnessError(
      "invalid_params",
      `Cannot control ${entry.id}: ${field}: ${issue?.message}; register it again`,
      { details: { issues: [{ path: field, message: issue?.message }] } },
    );
  }
  const execution = driverFor(entry.execution).fromEntry(entry.execution, entry.name);
  // Another command gets its own directory: the old one may still run.
  const digest = sha256(JSON.stringify([entry.id, execution]));
  const runDir = join(
    runRoot,
    `${entry.id.replace(/[^A-Za-z0-9._-]/g, "_")}-${digest.slice(0, 8)}`,
  );
  return {
    name: entry.name,
    version: entry.version,
    execution,
    workDir: "/",
    envFile: null,
    runDir,
    logDir: join(runDir, "log"),
    // Ports of a plain entry are claims about the network, not about this machine: not checked at start.
    ports: [],
    health: null,
    restart: { policy: "no", maxRetries: 0, backoffMs: 1000 },
    stop: { signal: "TERM", timeoutMs: 10_000 },
  };
}

/** The placement that an entry's own fields describe. */
export function describedPlacement(
  entry: ServiceEntry,
  { hosts, localRunRoot }: { hosts: HostDirectory; localRunRoot: string },
): Placement {
  const target = targetOf(entry.location);
  const { installRoot } = hosts.resolve(target);
  const runRoot = target === "local" ? localRunRoot : `${installRoot}/.harness/registered`;
  return { id: entry.id, target, spec: entrySpec(entry, runRoot), origin: "registered" };
}
