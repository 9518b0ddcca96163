/**
 * Checks whether a release may take its name, and whether the running service is the one that was started. Pure.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import type { Occupant, ServiceStatus } from "../../lifecycle/service_spec.ts";
import type { HostState } from "./state.ts";

/** Service and host of a release. */
export interface OccupiedPlace {
  /** Service name. */
  service: string;
  /** Host label. */
  host: string;
}

/**
 * Why a deployment must not continue because its name is taken, or `null`. What carries the marks of this service and
 * install root belongs to it if it is recorded or stopped. What gives way is taken over.
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
    ? `it belongs to this service but is not in its record; ` +
      "restore the record (state.json), or stop it first"
    : "it was not changed; stop or remove it, or use another name";
  return new HarnessError(
    "conflict",
    `Cannot deploy ${service} to ${host}: the ${named(occupant)} is taken (${whose}); ${why}`,
    { details: { reason: "occupied", occupant: { ...occupant } } },
  );
}

/** A process of another install root: the two run side by side. */
export function isNeighbour({ kind, ours }: Occupant): boolean {
  return kind === "process" && !ours;
}

function named({ kind, name }: Occupant): string {
  return kind === "process" ? `place of process ${name}` : `${kind} ${name}`;
}

/** Why the running service is not the release in `dir`, or not the run `started`; `null` if it is or is unknown. */
export function otherRun(
  status: ServiceStatus,
  { dir, started }: { dir: string; started: string | null },
): string | null {
  const { releaseDir = null, runId = null } = status.identity ?? {};
  if (!status.running) return null;
  if (releaseDir !== null && releaseDir !== dir) return `it runs ${releaseDir} and not ${dir}`;
  if (runId === null || started === null || runId === started) return null;
  // A unit of the machine has an id of systemd, which changes with every restart.
  if (!isRunId(runId) || !isRunId(started)) return null;
  return `it is run ${runId} and not ${started}`;
}

function isRunId(id: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(id);
}
