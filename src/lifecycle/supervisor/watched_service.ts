/**
 * A service under supervision as its supervisor gives it.
 *
 * @module
 */
import type { Executor } from "../../executor/executor.ts";
import type { RestartCounterOptions } from "./restart_policy.ts";
import type { ControlOptions, ServiceSpec } from "../service_spec.ts";
import type { HostKey, SupervisorEvent } from "./events.ts";

/** A service to supervise. */
export interface WatchedService {
  /** Unique id. */
  id: string;
  /** What it is. */
  spec: ServiceSpec;
  /** Its machine. */
  host: HostKey;
  /** As in `createController`. */
  systemd?: boolean | undefined;
}

/** Options of a start by request. */
export interface StartOptions extends ControlOptions {
  /** Also wait until it is healthy, at most this long, before it counts as running. */
  healthTimeoutMs?: number;
}

/** What a supervised service needs of its supervisor. */
export interface ServiceContext {
  /** The service's machine. */
  executor: () => Promise<Executor>;
  /** Whether the machine's processes run as systemd units. */
  systemd: () => Promise<boolean>;
  /** Rejects where a restart by policy must not be: what is active on the machine is something else by now. */
  confirm: () => Promise<void>;
  /** Reports; awaited before the service goes on. */
  emit: (event: SupervisorEvent) => void | Promise<void>;
  /** Called when it begins or ends to run. */
  onRunning: (running: boolean, fresh: boolean) => void;
  /** Back-off settings. */
  restart: RestartCounterOptions;
}
