/**
 * A service under supervision: what a supervisor gets, and what it hands to the reconciler of the service.
 *
 * @module
 */
import type { Executor } from "../../executor/executor.ts";
import type { RestartCounterOptions, RestartState } from "./restart_policy.ts";
import type { ControlOptions, ServiceSpec, ServiceStatus } from "../service_spec.ts";
import type { HostKey, SupervisorEvent } from "./events.ts";

/** A service to supervise. */
export interface SupervisedService {
  /** Unique id. */
  id: string;
  /** What it is. */
  spec: ServiceSpec;
  /** Its machine. */
  host: HostKey;
  /** As in `createController`. */
  systemd?: boolean | undefined;
}

/** What the caller has recorded of a service that an earlier supervisor ran. */
export interface RecordedState {
  /** Whether it was running. */
  running: boolean;
  /** Whether it was being stopped on request: then its end is not for the policy to undo. @default {false} */
  stopping?: boolean;
  /** How long it has been running by the records, at most; used when it is found ended. @default {0} */
  upMs?: number;
  /** Its process id, where recorded. */
  pid?: number | null;
  /** Its container id, where recorded. */
  containerId?: string | null;
  /** `restarts` of its last `failed` event, where that is still the reason for its state. */
  restarts?: RestartState | null;
}

/** Options of a start by request. */
export interface StartOptions extends ControlOptions {
  /** Also wait until it is healthy, at most this long, before it counts as running. */
  healthTimeoutMs?: number;
}

/** What a reconciler needs of its supervisor. */
export interface ReconcilerContext {
  /** The service's machine. */
  executor: () => Promise<Executor>;
  /** Whether the machine's processes run as systemd units. */
  systemd: () => Promise<boolean>;
  /** Rejects where a restart by policy must not happen: another release is active on the machine by now. */
  confirm: () => Promise<void>;
  /** Reports an event; awaited before the next step. */
  emit: (event: SupervisorEvent) => void | Promise<void>;
  /** Called when it begins or ends to run. */
  onRunning: (running: boolean, fresh: boolean) => void;
  /** How long a started program must stay alive; the default of its controller where left out. */
  settleMs: number | undefined;
  /** Back-off settings. */
  restart: RestartCounterOptions;
}

/** Differs from one run to the next. */
export function runKey({ containerId, pid }: ServiceStatus): string {
  return `${containerId ?? ""} ${pid ?? ""}`;
}

/** Whether what runs is the process or container that was recorded. */
export function isRecordedRun(
  status: ServiceStatus,
  { pid = null, containerId = null }: RecordedState,
): boolean {
  return containerId === null
    ? pid === null || pid === status.pid
    : containerId === status.containerId;
}
