/**
 * Start, stop, check and supervise one service on one host, as a process, systemd unit or container.
 *
 * @example Start and stop a process
 * ```ts
 * import assert from "node:assert/strict";
 * import { mkdtemp, rm } from "node:fs/promises";
 * import { localExecutor } from "@harness/service-registry/executor";
 * import { createController, type ServiceSpec } from "@harness/service-registry/lifecycle";
 *
 * const dir = await mkdtemp("/tmp/lifecycle-");
 * const spec: ServiceSpec = {
 *   name: "greeter",
 *   version: "1.0.0",
 *   execution: {
 *     type: "managed_process",
 *     argv: ["/bin/sh", "-c", "echo hello; exec sleep 60"],
 *     start: "foreground",
 *     stopArgv: null,
 *     reloadArgv: null,
 *     user: null,
 *   },
 *   workDir: "/",
 *   envFile: null,
 *   runDir: `${dir}/run`,
 *   logDir: `${dir}/log`,
 *   ports: [],
 *   health: null,
 *   restart: { policy: "no", maxRetries: 0, backoffMs: 1000 },
 *   stop: { signal: "TERM", timeoutMs: 5000 },
 * };
 * await using executor = localExecutor();
 * const greeter = createController(executor, spec, { systemd: false });
 * assert.equal((await greeter.start()).running, true);
 * await greeter.stop();
 * assert.equal((await greeter.status()).running, false);
 * await rm(dir, { recursive: true });
 * ```
 *
 * @module
 */
export { createController } from "./controller.ts";
export type { ControllerOptions } from "./drivers/driver.ts";
export { checkHealth, waitUntilHealthy } from "./health/check.ts";
export type {
  CheckHealthOptions,
  HealthCheckResult,
  WaitUntilHealthyOptions,
} from "./health/check.ts";
export type {
  Controller,
  ControlOptions,
  LogOptions,
  Occupant,
  RunIdentity,
  ServiceSpec,
  ServiceStatus,
  SpecExecution,
} from "./service_spec.ts";
export type { HostKey } from "./supervisor/events.ts";
export type { EndRecord, RestartState } from "./supervisor/restart_policy.ts";
export { Supervisor } from "./supervisor/supervisor.ts";
export type {
  RecordedState,
  StartOptions,
  SupervisedService,
} from "./supervisor/supervised_service.ts";
export type { HealthStatus } from "./health/probe.ts";
