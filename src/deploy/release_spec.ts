/**
 * Builds the `ServiceSpec` of a release from its manifest and its paths on the host. Pure.
 *
 * @module
 */
import type { HealthSpec, Manifest, ManifestPort } from "../package/manifest/manifest.ts";
import type { Release } from "../lifecycle/drivers/driver.ts";
import { driverFor } from "../lifecycle/drivers/table.ts";
import type { ServiceSpec, SpecExecution } from "../lifecycle/service_spec.ts";
import { sanitizeName } from "../package/names.ts";
import type { HostLayout, ReleaseLayout } from "./host/layout.ts";

/** Input of {@linkcode releaseSpec}. */
export interface ReleaseSpecInput {
  /** Manifest. */
  manifest: Manifest;
  /** Paths of the service on the host. */
  layout: HostLayout;
  /** Place of the release. */
  release: ReleaseLayout;
  /** Name of its file in `envs/`. */
  envName: string;
  /** Ports as configured on this host. */
  ports: ManifestPort[];
  /** Its optional files. */
  files: Release["files"];
}

/** The spec with which lifecycle controls the release. */
export function releaseSpec(input: ReleaseSpecInput): ServiceSpec {
  const { manifest, layout, release } = input;
  return {
    name: sanitizeName(manifest.name),
    version: manifest.version,
    execution: executionOf(input),
    workDir: release.dir,
    envFile: `${layout.envs}/${input.envName}`,
    runDir: `${layout.run}/${release.id}`,
    logDir: layout.output,
    ports: input.ports,
    health: healthOf(manifest.health, release.dir),
    restart: manifest.restart,
    stop: manifest.stop,
  };
}

function executionOf({ manifest, release, files }: ReleaseSpecInput): SpecExecution {
  const { type } = manifest.service;
  const execution = driverFor({ type }).fromManifest?.({ manifest, dir: release.dir, files });
  if (execution !== undefined) return execution;
  throw new Error(`no release can be run as ${type}`);
}

function healthOf(health: HealthSpec | null, dir: string): HealthSpec | null {
  if (health === null || health.probe.type !== "script") return health;
  return { ...health, probe: { type: "script", script: `${dir}/${health.probe.script}` } };
}
