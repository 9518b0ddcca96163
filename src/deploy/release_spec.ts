/**
 * How a release is controlled: from its manifest and its place on the host to a `ServiceSpec`. Pure.
 *
 * @module
 */
import type { HealthSpec, Manifest, ManifestPort } from "../package/manifest/manifest.ts";
import type { ServiceSpec, SpecExecution } from "../lifecycle/service_spec.ts";
import { sanitizeName } from "../package/names.ts";
import type { HostLayout, ReleaseLayout } from "./host/layout.ts";

/** What is in a release's directory that its control depends on. */
export interface ReleaseFiles {
  /** Whether `scripts/stop.sh` is there. */
  stopScript: boolean;
  /** Whether `scripts/reload.sh` is there. */
  reloadScript: boolean;
  /** Whether `image.tar` is there. */
  imageTar: boolean;
}

/** What {@linkcode releaseSpec} builds on. */
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
  /** What is in its directory. */
  files: ReleaseFiles;
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

function executionOf(input: ReleaseSpecInput): SpecExecution {
  const { manifest, release, files } = input;
  const script = (name: string, there: boolean): readonly [string] | null =>
    there ? [`${release.dir}/scripts/${name}`] : null;
  switch (manifest.service.type) {
    case "managed_process":
      return {
        type: "managed_process",
        argv: [`${release.dir}/scripts/start.sh`],
        start: manifest.service.start,
        stopArgv: script("stop.sh", files.stopScript),
        reloadArgv: script("reload.sh", files.reloadScript),
        user: manifest.service.user,
        // A manifest that an earlier version recorded says nothing of it.
        hardening: manifest.service.hardening ?? {},
      };
    case "docker_container":
      return {
        type: "docker_container",
        image: manifest.service.image ?? `${manifest.name}:${manifest.version}`,
        imageTar: files.imageTar ? `${release.dir}/image.tar` : null,
        container: sanitizeName(manifest.name),
      };
    case "systemd_service":
      return {
        type: "systemd_service",
        unit: manifest.service.unit ?? `${manifest.name}.service`,
        claim: true,
      };
  }
}

function healthOf(health: HealthSpec | null, dir: string): HealthSpec | null {
  if (health === null || health.probe.type !== "script") return health;
  return { ...health, probe: { type: "script", script: `${dir}/${health.probe.script}` } };
}
