/**
 * All ways to run services, one line each.
 *
 * @module
 */
import type { SpecExecution } from "../service_spec.ts";
import { dockerDriver } from "./docker/driver.ts";
import type { Driver, ExecutionType, RunManager } from "./driver.ts";
import { processDriver } from "./process/driver.ts";
import { generatedUnitDriver } from "./systemd/generated/driver.ts";
import { portableDriver, unitDriver } from "./systemd/known/driver.ts";

const DRIVERS: { readonly [M in RunManager]: Driver<ExecutionType<M>, ExecutionType<M>> } = {
  process: processDriver,
  systemd: generatedUnitDriver,
  docker_container: dockerDriver,
  systemd_service: unitDriver,
  systemd_portable: portableDriver,
};

/** Whether the machine decides what runs an execution: with systemd, a managed process is a unit. */
export function dependsOnSystemd({ type }: { type: SpecExecution["type"] }): boolean {
  return type === "managed_process";
}

/** What runs an execution on a machine with or without systemd. */
export function managerFor(type: SpecExecution["type"], systemd: boolean): RunManager {
  if (type !== "managed_process") return type;
  return systemd ? "systemd" : "process";
}

/** The driver of an execution on a machine with or without systemd. Its methods take specs of that execution only. */
export function driverFor({ type }: { type: SpecExecution["type"] }, systemd = false): Driver {
  // The compiler cannot know that the caller's spec is of the type that was asked for.
  return DRIVERS[managerFor(type, systemd)] as unknown as Driver;
}
