/**
 * Paths on a host. Pure.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import { installPath, sanitizeName, sanitizeVersion } from "../../package/names.ts";

/** The paths of one service on one host. */
export interface HostLayout {
  /** Install root, without a slash at its end. */
  root: string;
  /** Bookkeeping directory of the service. */
  base: string;
  /** Packages by digest. */
  cache: string;
  /** Link to the active release. */
  current: string;
  /** The record of releases. */
  state: string;
  /** Environment of the active release. */
  env: string;
  /** Environment files of all kept releases. */
  envs: string;
  /** Data that outlives releases. */
  shared: string;
  /** Log files that the service writes itself; they belong to its user, and we never read them. */
  log: string;
  /** What we write for the service: its captured output and `recovery.log`. Private to the deploying user. */
  output: string;
  /** Pid files, one directory a release: old and new never share one. */
  run: string;
}

/** Path of a release. */
export interface ReleaseLayout {
  /** Id within the service: the version as part of a path, with the digest behind it where forced. */
  id: string;
  /** Directory of the release. */
  dir: string;
}

/** The paths of `service` below `installRoot`. */
export function hostLayout(installRoot: string, service: string): HostLayout {
  if (!installRoot.startsWith("/") || /[\0\n\r]/.test(installRoot)) {
    throw new HarnessError(
      "invalid_params",
      `Cannot deploy below "${installRoot}": the install root must be an absolute path without line breaks`,
    );
  }
  const root = installRoot.replace(/(?<!\/)\/+$/, "");
  const base = `${root}/.harness/${sanitizeName(service)}`;
  return {
    root: root === "" ? "/" : root,
    base,
    cache: `${root}/.harness/cache`,
    current: `${base}/current`,
    state: `${base}/state.json`,
    env: `${base}/env`,
    envs: `${base}/envs`,
    shared: `${base}/shared`,
    log: `${base}/log`,
    output: `${base}/output`,
    run: `${base}/run`,
  };
}

/** The path of a version; with `digest`, that of other bytes under the same version. */
export function releaseLayout(
  layout: HostLayout,
  service: string,
  version: string,
  digest?: string,
): ReleaseLayout {
  const suffix = digest === undefined ? "" : `~${digest.slice(0, 8)}`;
  return {
    id: `${sanitizeVersion(version)}${suffix}`,
    dir: `${installPath(layout.root, service, version)}${suffix}`,
  };
}
