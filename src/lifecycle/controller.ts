/**
 * Picks the controller that fits a service and its machine.
 *
 * @module
 */
import type { Executor } from "../executor/executor.ts";
import { ProcessController } from "./process.ts";
import type { ProcessSpec } from "./process_commands.ts";
import type { Controller, ServiceSpec } from "./service_spec.ts";

/** Options for {@linkcode createController}. */
export interface ControllerOptions {
  /**
   * Whether a managed process runs as a systemd unit. Left out: yes where PID 1 is systemd and we are root
   * there, found out at the first call.
   */
  systemd?: boolean;
}

/** The controller for `spec` on the machine of `executor`. It keeps no state of its own: make one whenever needed. */
export function createController(
  executor: Executor,
  spec: ServiceSpec,
  _options: ControllerOptions = {},
): Controller {
  return new ProcessController(executor, spec as ProcessSpec);
}
