/**
 * `state.json` on a host: the record of its releases, their status, and the active one.
 *
 * Pure: parses, serialises, and computes the next state of each step. It is written whole, beside the old one,
 * and renamed: {@linkcode committed} is the moment in which a deployment has happened.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import type { Manifest } from "../../package/manifest/manifest.ts";
import type { ServiceSpec, ServiceStatus } from "../../lifecycle/service_spec.ts";
import type { RunManager } from "../../lifecycle/drivers/driver.ts";
import { driverFor, managerFor } from "../../lifecycle/drivers/table.ts";
import { upgradeSpec } from "../../lifecycle/upgrade_spec.ts";
import { KEEP_BAD_RELEASES } from "../limits.ts";
import { recordProblem, type RELEASE_STATUSES } from "./state_schema.ts";

/** Status of a release. */
export type ReleaseStatus = (typeof RELEASE_STATUSES)[number];

/** How a release was run when it was configured last: it is stopped in the same way, whatever the host has by then. */
export interface ReleaseRun {
  /** What runs it. */
  manager: RunManager;
  /** Id of the user that deployed it. */
  uid: number;
  /** Name of that user. */
  user: string;
}

/** One release on a host. */
export interface ReleaseRecord {
  /** Id within the service, see layout.ts. */
  id: string;
  /** Version. */
  version: string;
  /** SHA-256 of its package. */
  sha256: string;
  /** Directory. */
  dir: string;
  /** Its status. */
  status: ReleaseStatus;
  /** The deployment that installed it or configured it last. */
  deployment_id: string;
  /** File in `envs/`, or `null` before it was configured. */
  env: string | null;
  /** When it was installed, RFC 3339 UTC by the clock of the deploying machine: for people only. */
  installed_at: string;
  /** When it was committed, or `null`. */
  committed_at: string | null;
  /** Why it is bad, or `null`. */
  reason: string | null;
  /** Its manifest, without the values of secrets. */
  manifest: Manifest;
  /** How to control it, or `null` before it was configured. */
  spec: ServiceSpec | null;
  /** How it was run; not recorded by earlier versions. */
  run?: ReleaseRun;
}

/** A pending switch. */
export interface PendingSwitch {
  /** The deployment that switches. */
  deployment_id: string;
  /** Id of the release that was active, or `null`. */
  from: string | null;
  /** The new release: becomes its record when it is committed. */
  to: ReleaseRecord;
  /** Whether the active release ran; not recorded by earlier versions. */
  ran?: boolean;
}

/** The whole record of a service on a host. */
export interface HostState {
  /** Format of this file. */
  format: 1;
  /** Service name. */
  service: string;
  /** Id of the active release, or `null`. */
  active: string | null;
  /** The pending switch, or `null`. Recovery greps for exactly this line. */
  pending: PendingSwitch | null;
  /** Releases in the order in which they were deployed, oldest first. */
  releases: ReleaseRecord[];
}

/** The record before the first deployment. */
export function emptyState(service: string): HostState {
  return { format: 1, service, active: null, pending: null, releases: [] };
}

/**
 * Parses `state.json`; `null` means that there is no such file. It is never written empty, so an empty file has lost its
 * content: to start with a new record would leave the running release running.
 */
export function parseState(text: string | null, service: string, where: string): HostState {
  if (text === null) return emptyState(service);
  const refuse = (why: string, cause?: unknown): never => {
    throw new HarnessError("conflict", `Cannot use ${where}: ${why}`, {
      details: { reason: "bad_state" },
      ...(cause === undefined ? {} : { cause }),
    });
  };
  let state: HostState;
  try {
    state = JSON.parse(text) as HostState;
  } catch (cause) {
    return refuse("it is not JSON; move it away to start with an empty record", cause);
  }
  if (typeof state !== "object" || state === null) return refuse("it is not a record of releases");
  if (state.format !== 1) {
    return refuse(`its format ${String(state.format)} is newer than this program`);
  }
  if (state.service !== service) {
    return refuse(`it belongs to the service "${state.service}", whose name maps to the same path`);
  }
  const problem = recordProblem(state);
  if (problem !== null) return refuse(`${problem}; move it away to start with an empty record`);
  return {
    ...state,
    pending: state.pending && { ...state.pending, to: upgradeRecord(state.pending.to) },
    releases: state.releases.map(upgradeRecord),
  };
}

function upgradeRecord(record: ReleaseRecord): ReleaseRecord {
  return record.spec === null ? record : { ...record, spec: upgradeSpec(record.spec) };
}

/** What runs a release: from its record, or what would run it now if an earlier version recorded nothing. */
export function managerOf(release: ReleaseRecord, systemd: boolean): RunManager {
  if (release.run !== undefined) return release.run.manager;
  return managerFor(release.spec?.execution.type ?? "managed_process", systemd);
}

/**
 * Owner of `shared/` and `log/` while `release` runs after or instead of `other`; empty: not changed. A release without
 * a user takes them back from one with a user; else their owner may be chosen by hand.
 */
export function dirOwner(release: ReleaseRecord, other: ReleaseRecord | null): string {
  const { user } = release.manifest.service;
  return user ?? (other?.manifest.service.user ? "0" : "");
}

/** The text of `state.json`. Two spaces of indentation are part of the format: recovery greps for `  "pending": {`. */
export function stateText(state: HostState): string {
  return `${JSON.stringify(state, null, 2)}\n`;
}

/** The spec of a configured release. */
export function specOf(release: ReleaseRecord): ServiceSpec {
  if (release.spec === null) throw new Error(`release ${release.id} was never configured`);
  return release.spec;
}

/** The release with this id. */
export function releaseById(state: HostState, id: string | null): ReleaseRecord | null {
  return state.releases.find((release) => release.id === id) ?? null;
}

/** The active release. */
export function activeRelease(state: HostState): ReleaseRecord | null {
  return releaseById(state, state.active);
}

/** With `release` as the newest one, replacing a record of the same id. */
export function withRelease(state: HostState, release: ReleaseRecord): HostState {
  return {
    ...state,
    releases: [...state.releases.filter((r) => r.id !== release.id), release],
  };
}

/** With a pending switch to `to`; `ran`: whether the active release runs. */
export function switching(
  state: HostState,
  deploymentId: string,
  to: ReleaseRecord,
  ran = true,
): HostState {
  return { ...state, pending: { deployment_id: deploymentId, from: state.active, to, ran } };
}

/**
 * With `to` active and good. A deployment makes it the newest one; a rollback keeps its position, so that the next
 * rollback goes further back.
 */
export function committed(
  state: HostState,
  to: ReleaseRecord,
  options: { keepPlace: boolean; at: string },
): HostState {
  const good: ReleaseRecord = { ...to, status: "good", committed_at: options.at, reason: null };
  const known = state.releases.some((r) => r.id === to.id);
  const releases = options.keepPlace && known
    ? state.releases.map((r) => r.id === to.id ? good : r)
    : withRelease(state, good).releases;
  return { ...state, active: to.id, pending: null, releases };
}

/** With the switch undone; a release that was never good becomes bad, others keep their status. */
export function undone(state: HostState, id: string, reason: string): HostState {
  return {
    ...state,
    pending: null,
    releases: state.releases.map((r) =>
      r.id === id && r.status !== "good" ? { ...r, status: "bad", reason } : r
    ),
  };
}

/** The release for a rollback: the given version, or the last good one before the active one. */
export function rollbackTarget(state: HostState, version?: string): ReleaseRecord | null {
  const good = state.releases.filter((r) => r.status === "good" && r.spec !== null);
  if (version !== undefined) return good.findLast((r) => r.version === version) ?? null;
  const at = good.findIndex((r) => r.id === state.active);
  return (at < 0 ? good.at(-1) : good[at - 1]) ?? null;
}

/**
 * Releases to remove: good ones beyond `keep`, bad ones beyond {@linkcode KEEP_BAD_RELEASES}, and those left installing.
 * Never the active release, nor the one a rollback would use.
 */
export function prunable(state: HostState, keep: number): ReleaseRecord[] {
  const safe = new Set([state.active, rollbackTarget(state)?.id]);
  const free = (r: ReleaseRecord) => !safe.has(r.id);
  const good = state.releases.filter((r) => r.status === "good");
  const kept = good.filter((r) => !free(r)).length;
  const spare = Math.max(0, Math.max(keep, 1) - kept);
  const freeGood = good.filter(free);
  const bad = state.releases.filter((r) => r.status === "bad" && free(r));
  return [
    ...freeGood.slice(0, Math.max(0, freeGood.length - spare)),
    ...bad.slice(0, Math.max(0, bad.length - KEEP_BAD_RELEASES)),
    ...state.releases.filter((r) => r.status === "installing" && free(r)),
  ];
}

/** Without the given releases. */
export function without(state: HostState, gone: readonly ReleaseRecord[]): HostState {
  const ids = new Set(gone.map((r) => r.id));
  return { ...state, releases: state.releases.filter((r) => !ids.has(r.id)) };
}

/** A manifest without the values of secrets, for a readable file. */
export function withoutSecrets(manifest: Manifest): Manifest {
  const env = Object.entries(manifest.env).map(([key, value]) =>
    [key, value.secret ? { ...value, value: null } : value] as const
  );
  return { ...manifest, env: Object.fromEntries(env) };
}

/** With the image id of its container: its tag may name another image later. */
export function withImageId(release: ReleaseRecord, status: ServiceStatus): ReleaseRecord {
  const { spec } = release;
  if (spec === null) return release;
  const { execution } = spec;
  const started = driverFor(execution).afterStart?.(execution, status) ?? execution;
  return started === execution ? release : { ...release, spec: { ...spec, execution: started } };
}
