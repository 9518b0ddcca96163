/**
 * How a deployment to several hosts has ended.
 *
 * @module
 */
import type { DeployStatus, HostOutcome } from "../model/deployment.ts";

/** The status of a deployment with these outcomes. Pure. */
export function fleetStatus(
  outcomes: readonly HostOutcome[],
  options: { cancelled: boolean; skipUnreachable: boolean },
): DeployStatus {
  const count = (...wanted: HostOutcome[]) => outcomes.filter((o) => wanted.includes(o)).length;
  const ok = count("ok");
  const excused = options.skipUnreachable && ok > 0 ? count("unreachable") : 0;
  if (ok + excused === outcomes.length) return "succeeded";
  if (options.cancelled && count("cancelled") > 0) return "cancelled";
  if (ok > 0) return "partial";
  if (count("rolled_back") > 0 && count("rolled_back", "skipped") === outcomes.length) {
    return "rolled_back";
  }
  return "failed";
}
