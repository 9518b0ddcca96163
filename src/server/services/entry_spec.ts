/**
 * How to control a service that a client registered with a plain command, without a package.
 *
 * @module
 */
import { join } from "node:path";
import { HarnessError } from "../../errors.ts";
import type { ServiceSpec, SpecExecution } from "../../lifecycle/service_spec.ts";
import type { ServiceEntry } from "../../model/service.ts";
import { executionInputSchema } from "../../model/service_schema.ts";
import { type HostDirectory, targetOf } from "../hosts/host_directory.ts";
import type { Placement } from "./placements.ts";
import { sha256 } from "../../util/node/digest.ts";

/** The controller's view of an entry. `runRoot` is a writable directory on the entry's machine. */
export function entrySpec(entry: ServiceEntry, runRoot: string): ServiceSpec {
  // An earlier version may have taken it in.
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
  const execution = specExecution(entry);
  // Another command is another process with records of its own, whatever runs under the old one.
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

function specExecution({ id, name, execution }: ServiceEntry): SpecExecution {
  switch (execution.type) {
    case "managed_process":
      return {
        type: "managed_process",
        argv: [execution.command, ...execution.args],
        start: "foreground",
        stopArgv: null,
        reloadArgv: null,
        user: null,
      };
    case "docker_container":
      return {
        type: "docker_container",
        image: execution.image,
        imageTar: null,
        container: execution.name ?? `harness-${name}`,
      };
    case "systemd_service":
      return { type: "systemd_service", unit: execution.unit_name };
    case "systemd_portable":
      return {
        type: "systemd_portable",
        image: execution.image_name,
        unit: execution.unit_name,
      };
    default:
      throw new HarnessError("internal", `Cannot control ${id}: unknown execution`, {
        details: { execution: execution satisfies never },
      });
  }
}

/** How an entry's own fields say that it is run, and where. */
export function describedPlacement(
  entry: ServiceEntry,
  { hosts, localRunRoot }: { hosts: HostDirectory; localRunRoot: string },
): Placement {
  const target = targetOf(entry.location);
  const { installRoot } = hosts.resolve(target);
  const runRoot = target === "local" ? localRunRoot : `${installRoot}/.harness/registered`;
  return { id: entry.id, target, spec: entrySpec(entry, runRoot), origin: "registered" };
}
