/**
 * Packages that the command line was given.
 *
 * @module
 */
import { stat } from "node:fs/promises";
import {
  inspectNamed,
  type InspectPackageOptions,
  type PackageSummary,
} from "../../../package/read.ts";
import { withHint } from "../../output/hints.ts";
import type { PackageCheck } from "../../session/held_back.ts";

/** Reads and verifies the package at `path`, its file name included; the hint of an error names the file. */
export async function readPackage(
  path: string,
  options: InspectPackageOptions = {},
): Promise<PackageSummary> {
  try {
    return await inspectNamed(path, options);
  } catch (error) {
    throw aboutPackage(path, error);
  }
}

/** Checked in a fraction of a second: a mistake is reported before anything is asked of the server. */
const CHECKED_FIRST_BYTES = 16 * 1024 * 1024;

/** Checks the package at `path`: a small one at once, a large one while the caller goes on. */
export async function beginCheck(path: string, signal: AbortSignal): Promise<PackageCheck> {
  let checked = 0;
  let wake = () => {};
  const onRead = (bytes: number) => {
    checked += bytes;
    wake();
  };
  const summary = readPackage(path, { signal, onRead }).finally(() => onRead(Infinity));
  summary.catch(() => {});
  const size = await stat(path).then((found) => found.size, () => 0);
  if (size <= CHECKED_FIRST_BYTES) await summary;
  return {
    summary,
    async reached(bytes) {
      while (checked < bytes) await new Promise<void>((resolve) => wake = resolve);
    },
  };
}

/** Adds the path of a package to the error of an invalid one. */
export function aboutPackage(path: string, error: unknown): unknown {
  return withHint(error, { code: "package_invalid" }, `the package is ${path}`);
}
