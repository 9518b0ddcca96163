/**
 * What a supervisor reports.
 *
 * @module
 */
import type { HealthCheckResult } from "../health/check.ts";
import type { EndRecord, RestartState } from "./restart_policy.ts";
import type { ServiceStatus } from "../service_spec.ts";

/** A machine as the supervisor calls it: `local` (also with a space and more behind it), or whatever key the caller uses. */
export type HostKey = string;

/** Whether a key means this machine. */
export function isLocal(host: HostKey): boolean {
  return host === "local" || host.startsWith("local ");
}

/** Why a state changed: somebody asked, the restart policy acted, or it was seen to have happened. */
export type StateCause = "request" | "policy" | "observed";

/** A service changed its state. In every service's own order; each legal as a registry transition. */
export interface StateEvent {
  /** Kind. */
  type: "state";
  /** Service id. */
  id: string;
  /** New state. */
  state: "starting" | "running" | "stopping" | "stopped" | "failed";
  /** Why, for people. */
  reason: string;
  /** Who brought it about. */
  cause: StateCause;
  /** Status seen by the controller, if it checked. */
  status: ServiceStatus | null;
  /** Last log lines, with `failed`. */
  log: string[];
  /**
   * With a `failed` that the restart policy has judged: its state, to be passed back as
   * {@linkcode RecordedState.restarts} when the service is adopted. Keep it before you record the state: then a crash
   * in between loses no restart.
   */
  restarts?: RestartState;
}

/** A health check ended. */
export interface HealthEvent {
  /** Kind. */
  type: "health";
  /** Service id. */
  id: string;
  /** Verdict after thresholds and start period: what `resolve_endpoint` should go by. */
  healthy: boolean;
  /** Whether `healthy` is another one than before. */
  changed: boolean;
  /** Whether subscribers should hear of it: on change, and now and then as a sign of life. */
  publish: boolean;
  /** Failures in a row. */
  failures: number;
  /** One line for people, with the count: "3/3 failed: http …: 503". */
  message: string;
  /** The check itself. */
  result: HealthCheckResult;
}

/** A restart was planned. */
export interface RestartScheduledEvent {
  /** Kind. */
  type: "restart_scheduled";
  /** Service id. */
  id: string;
  /** Which restart in a row. */
  attempt: number;
  /** Pause before it. */
  delayMs: number;
  /** What ended it. */
  reason: string;
}

/** A crash loop: the policy's restarts are used up. The service stays `failed`. */
export interface GaveUpEvent {
  /** Kind. */
  type: "gave_up";
  /** Service id. */
  id: string;
  /** Restarts that were made. */
  attempts: number;
  /** What ended it, each time. */
  history: EndRecord[];
}

/** A service was found running after our own restart. */
export interface AdoptedEvent {
  /** Kind. */
  type: "adopted";
  /** Service id. */
  id: string;
  /** What runs. */
  status: ServiceStatus;
  /** Whether it is the process (or container) that was recorded. */
  same: boolean;
}

/** A machine became reachable or unreachable. Proves nothing about its services. */
export interface HostEvent {
  /** Kind. */
  type: "host";
  /** Machine. */
  host: HostKey;
  /** Whether it responds. */
  reachable: boolean;
  /** Why not, or empty. */
  reason: string;
  /** The services there. */
  ids: string[];
  /** The daemon that runs these services, such as `docker`, where it is not the whole machine that does not respond. */
  engine?: string;
}

/** Everything a supervisor reports. */
export type SupervisorEvent =
  | StateEvent
  | HealthEvent
  | RestartScheduledEvent
  | GaveUpEvent
  | AdoptedEvent
  | HostEvent;
