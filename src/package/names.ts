/**
 * File names from a package's name and version.
 *
 * The name keeps only `[A-Za-z0-9_-]`, so it has no dot; a SemVer version begins with digits and a dot. So
 * `<name>-<version>` is unambiguous: the version begins after the last `-` before the first dot. (`foo-1.0.0`, `2.0.0`)
 * gives `foo-1_0_0-2.0.0`, never `foo-1.0.0-2.0.0`.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import { MAX_NAME_LENGTH } from "../model/limits.ts";
import { MAX_VERSION_LENGTH } from "./limits.ts";

/** The grammar of SemVer 2.0.0 (semver.org), without the optional leading `v`. */
export const SEMVER: RegExp =
  /^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?$/;

/** Valid package names: the same rule as for services. */
export const PACKAGE_NAME: RegExp = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/**
 * `name` as part of a path: every character but `A-Z a-z 0-9 _ -` becomes `_`.
 *
 * @example Usage
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(sanitizeName("api@server"), "api_server");
 * assert.equal(sanitizeName("../../../evil"), "_________evil");
 * ```
 */
export function sanitizeName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_-]/g, "_");
}

/**
 * `version` as part of a path: every character but `A-Z a-z 0-9 . _ -` becomes `_`, and so does every dot
 * of two or more in a row, so that `..` never survives.
 *
 * @example Usage
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(sanitizeVersion("1.2.3+build"), "1.2.3_build");
 * assert.equal(sanitizeVersion("../1.0"), "___1.0");
 * ```
 */
export function sanitizeVersion(version: string): string {
  return version
    .replaceAll(/[^A-Za-z0-9._-]/g, "_")
    .replaceAll(/\.{2,}/g, (dots) => "_".repeat(dots.length));
}

/** `<name>-<version>` for paths: the name of a release's directory and, with `.tar.gz`, of its package. */
function releaseName(name: string, version: string): string {
  if (name === "" || version === "") {
    throw new HarnessError(
      "package_invalid",
      "Cannot name a release: name and version must not be empty",
      { details: { reason: "bad_name" } },
    );
  }
  if (name.length > MAX_NAME_LENGTH || version.length > MAX_VERSION_LENGTH) {
    throw new HarnessError(
      "package_invalid",
      `Cannot name a release: name and version may have ${MAX_NAME_LENGTH} and ${MAX_VERSION_LENGTH} characters`,
      { details: { reason: "bad_name" } },
    );
  }
  return `${sanitizeName(name)}-${sanitizeVersion(version)}`;
}

/** The file name of a package: `<name>-<version>.tar.gz`. */
export function packageFileName(name: string, version: string): string {
  return `${releaseName(name, version)}.tar.gz`;
}

/**
 * Where a release is installed below `root`: `<root>/<name>-<version>`.
 *
 * Whatever name and version are, the result is a direct child of `root`.
 *
 * @example Usage
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(installPath("/opt", "api-server", "1.2.3"), "/opt/api-server-1.2.3");
 * ```
 */
export function installPath(root: string, name: string, version: string): string {
  return `${root.replace(/(?<!\/)\/+$/, "")}/${releaseName(name, version)}`;
}
