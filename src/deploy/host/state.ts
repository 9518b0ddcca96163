/**
 * `state.json` on a host: which releases are there, how each went, which one is active.
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

/** How a release stands. */
export type ReleaseStatus = (typeof RELEASE_STATUSES)[number];

/** How a release was run when it was configured last: it is stopped in the same way, whatever the host offers by then. */
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
  /** How it stands. */
  status: ReleaseStatus;
  /** The deployment that put it there or configured it last. */
  deployment_id: string;
  /** File in `envs/`, or `null` before it was configured. */
  env: string | null;
  /** When it was put there, RFC 3339 UTC by the deploying machine's clock: for people only. */
  installed_at: string;
  /** When it was committed, or `null`. */
  committed_at: string | null;
  /** Why it is bad, or `null`. */
  reason: string | null;
  /** Its manifest, without the values of secrets. */
  manifest: Manifest;
  /** How to control it, or `null` before it was configured. */
  spec: ServiceSpec | null;
  /** How it was run; earlier versions did not record it. */
  run?: ReleaseRun;
}

/** A switch that is under way. */
export interface PendingSwitch {
  /** The deployment that switches. */
  deployment_id: string;
  /** Id of the release that was active, or `null`. */
  from: string | null;
  /** What is switched to: becomes the record of the release when it is committed. */
  to: ReleaseRecord;
  /** Whether the release that was active ran; earlier versions did not record it. */
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
  /** The switch under way, or `null`. Recovery looks for exactly this line. */
  pending: PendingSwitch | null;
  /** Releases in the order in which they were deployed, oldest first. */
  releases: ReleaseRecord[];
}

/** Nothing installed yet. */
export function emptyState(service: string): HostState {
  return { format: 1, service, active: null, pending: null, releases: [] };
}

/**
 * Reads `state.json`; `null` says that there is no such file, and only then there is no record. Whoever writes it
 * never leaves it empty, so an empty one has lost what it said: to begin anew would leave what runs running.
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
    return refuse("it is not JSON; move it away to begin with an empty record", cause);
  }
  if (typeof state !== "object" || state === null) return refuse("it is not a record of releases");
  if (state.format !== 1) {
    return refuse(`its format ${String(state.format)} is newer than this program`);
  }
  if (state.service !== service) {
    return refuse(`it belongs to the service "${state.service}", whose name gives the same path`);
  }
  const problem = recordProblem(state);
  if (problem !== null) return refuse(`${problem}; move it away to begin with an empty record`);
  return {
    ...state,
    pending: state.pending && { ...state.pending, to: upgradeRecord(state.pending.to) },
    releases: state.releases.map(upgradeRecord),
  };
}

function upgradeRecord(record: ReleaseRecord): ReleaseRecord {
  return record.spec === null ? record : { ...record, spec: upgradeSpec(record.spec) };
}

/** What runs a release: by its record, and where an earlier version wrote none, as the host would run it now. */
export function managerOf(release: ReleaseRecord, systemd: boolean): RunManager {
  if (release.run !== undefined) return release.run.manager;
  return managerFor(release.spec?.execution.type ?? "managed_process", systemd);
}

/**
 * Whom `shared/` and `log/` are to belong to while `release` runs, after or instead of `other`; empty: they are left as
 * they are. A release that names no user takes back what one with a user had; else their owner may be somebody's choice.
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

/** With `release` as the newest one; an earlier record of the same id gives way. */
export function withRelease(state: HostState, release: ReleaseRecord): HostState {
  return {
    ...state,
    releases: [...state.releases.filter((r) => r.id !== release.id), release],
  };
}

/** With a switch to `to` under way; `ran` says whether the active release runs. */
export function switching(
  state: HostState,
  deploymentId: string,
  to: ReleaseRecord,
  ran = true,
): HostState {
  return { ...state, pending: { deployment_id: deploymentId, from: state.active, to, ran } };
}

/**
 * With `to` active and good. A deployment makes it the newest in the order; a rollback leaves it in its place, so
 * that the next rollback goes further back instead of forth again.
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

/** With the switch undone; a release that was never good is bad now, one that was stays as it was recorded. */
export function undone(state: HostState, id: string, reason: string): HostState {
  return {
    ...state,
    pending: null,
    releases: state.releases.map((r) =>
      r.id === id && r.status !== "good" ? { ...r, status: "bad", reason } : r
    ),
  };
}

/** The release that a rollback chooses: the named version, or the last good one deployed before the active one. */
export function rollbackTarget(state: HostState, version?: string): ReleaseRecord | null {
  const good = state.releases.filter((r) => r.status === "good" && r.spec !== null);
  if (version !== undefined) return good.findLast((r) => r.version === version) ?? null;
  const at = good.findIndex((r) => r.id === state.active);
  return (at < 0 ? good.at(-1) : good[at - 1]) ?? null;
}

/**
 * What retention removes: good releases beyond `keep`, bad ones beyond {@linkcode KEEP_BAD_RELEASES}, and whatever
 * was left installing. Never the active release, nor the one a rollback would choose.
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

/** A manifest as it may be kept in a readable file: the values of secrets are left out. */
export function withoutSecrets(manifest: Manifest): Manifest {
  const env = Object.entries(manifest.env).map(([key, value]) =>
    [key, value.secret ? { ...value, value: null } : value] as const
  );
  return { ...manifest, env: Object.fromEntries(env) };
}

/** With the image that its container was started from: a tag may name another one when the release is started again. */
export function withImageId(release: ReleaseRecord, status: ServiceStatus): ReleaseRecord {
  const { spec } = release;
  if (spec === null) return release;
  const { execution } = spec;
  const started = driverFor(execution).afterStart?.(execution, status) ?? execution;
  return started === execution ? release : { ...release, spec: { ...spec, execution: started } };
}
