/**
 * Whether what is under the name of a release may be put aside by it, and whether what runs is what was started. Pure.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import type { Occupant, ServiceStatus } from "../../lifecycle/service_spec.ts";
import type { HostState } from "./state.ts";

/** Where a release is to run. */
export interface OccupiedPlace {
  /** Service name. */
  service: string;
  /** Host label. */
  host: string;
}

/**
 * Why a deployment must not go on because of what is there, or `null`. What carries the marks of this service and
 * install root and is recorded there is its own; so is what of it does not run. What gives way by itself is taken over.
 */
export function occupiedError(
  occupant: Occupant | null,
  state: HostState,
  { service, host }: OccupiedPlace,
): HarnessError | null {
  if (occupant === null || occupant.givesWay === true || isNeighbour(occupant)) return null;
  const release = occupant.identity?.releaseDir ?? null;
  const recorded = state.active !== null &&
    (release === null || state.releases.some(({ dir }) => dir === release));
  if (occupant.ours && (recorded || !occupant.running)) return null;
  const whose = release === null || occupant.detail.includes(release)
    ? occupant.detail
    : `${occupant.detail}, release ${release}`;
  const why = occupant.ours
    ? `it is this service's, and the record of releases does not know it; ` +
      "bring the record (state.json) back, or stop it first"
    : "it was left as it is. Stop or remove it, or use another name";
  return new HarnessError(
    "conflict",
    `Cannot deploy ${service} to ${host}: the ${named(occupant)} is taken (${whose}); ${why}`,
    { details: { reason: "occupied", occupant: { ...occupant } } },
  );
}

/** A process of another install root: nothing of it has our name, and the two run side by side. */
export function isNeighbour({ kind, ours }: Occupant): boolean {
  return kind === "process" && !ours;
}

function named({ kind, name }: Occupant): string {
  return kind === "process" ? `place of process ${name}` : `${kind} ${name}`;
}

/** Why what runs is not the release in `dir`, or not the run that `started` names, or `null` when it is, or says nothing. */
export function otherRun(
  status: ServiceStatus,
  { dir, started }: { dir: string; started: string | null },
): string | null {
  const { releaseDir = null, runId = null } = status.identity ?? {};
  if (!status.running) return null;
  if (releaseDir !== null && releaseDir !== dir) return `it runs ${releaseDir} and not ${dir}`;
  if (runId === null || started === null || runId === started) return null;
  // A unit of the machine has no run of ours: systemd's own id changes when systemd starts it again.
  if (!isRunId(runId) || !isRunId(started)) return null;
  return `it is run ${runId} and not ${started}`;
}

function isRunId(id: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(id);
}
