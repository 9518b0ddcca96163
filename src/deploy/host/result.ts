/**
 * Builds the result of a host. Pure.
 *
 * @module
 */
import type { DeployFailure, DeployStep, HostOutcome } from "../../model/deployment.ts";
import type { HostContext } from "./context.ts";
import { activeRelease, managerOf, specOf } from "./state.ts";
import type { DeployedService, HostResult } from "../progress.ts";

/** How a host ended. */
export interface HostEnd {
  /** Its outcome. */
  outcome: HostOutcome;
  /** The step it ended at. */
  step: DeployStep;
  /** What went wrong, or `null`. */
  failure: DeployFailure | null;
  /** Whether the state of the host is known. */
  known: boolean;
  /** Whether there was nothing to do. */
  already: boolean;
}

/** The result of a host. */
export function hostResult(context: HostContext, end: HostEnd): HostResult {
  const { target, previous, release, phase, state, health, redact } = context;
  const { outcome, step, failure, known, already } = end;
  return {
    host: target.label,
    outcome,
    step,
    error: outcome === "ok" ? null : failure,
    versionBefore: previous?.version ?? null,
    versionAfter: known ? activeRelease(state)?.version ?? null : null,
    changed: !already && outcome === "ok" && release !== null && phase !== "switched",
    service: known ? service(context) : null,
    // Meaningless for a release that was rolled back.
    health: outcome === "ok" && health !== null
      ? {
        healthy: health.healthy,
        message: redact(health.message),
        checked_at: health.checked_at,
        duration_ms: health.duration_ms,
      }
      : null,
  };
}

function service(context: HostContext): DeployedService | null {
  const { state, target, status, plan, facts } = context;
  const active = activeRelease(state);
  if (active === null || active.spec === null || status === null || facts === null) return null;
  const { manifest } = plan.kind === "deploy" && plan.package.sha256 === active.sha256
    ? plan.package
    : active;
  return {
    name: context.service,
    version: active.version,
    sha256: active.sha256,
    installDir: active.dir,
    manifest,
    spec: specOf(active),
    manager: managerOf(active, facts.systemd),
    place: facts.place,
    status,
    address: target.address ?? target.label,
  };
}
