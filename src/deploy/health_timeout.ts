/**
 * How long a service may take to become healthy.
 *
 * @module
 */
import type { ServiceSpec } from "../lifecycle/service_spec.ts";
import { DEPLOY_HEALTH_GRACE_MS } from "./limits.ts";

/** Time to become healthy, from the timing of the health check. */
export function healthTimeoutMs(spec: ServiceSpec): number {
  if (spec.health === null) return DEPLOY_HEALTH_GRACE_MS;
  const { startPeriodMs, retries, timeoutMs } = spec.health;
  return startPeriodMs + retries * timeoutMs + DEPLOY_HEALTH_GRACE_MS;
}
