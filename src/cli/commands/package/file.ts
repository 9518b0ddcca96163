/**
 * Packages that the command line was given.
 *
 * @module
 */
import { inspectNamed, type PackageSummary } from "../../../package/read.ts";
import { withHint } from "../../output/hints.ts";

/** Reads and verifies the package at `path`, its file name included; the hint of an error names the file. */
export async function readPackage(
  path: string,
  options: { signal?: AbortSignal } = {},
): Promise<PackageSummary> {
  try {
    return await inspectNamed(path, options);
  } catch (error) {
    throw aboutPackage(path, error);
  }
}

/** Adds the path of a package to the error of an invalid one. */
export function aboutPackage(path: string, error: unknown): unknown {
  return withHint(error, { code: "package_invalid" }, `the package is ${path}`);
}
