/**
 * Packages that the command line was given: read whole, and named when something is wrong with them.
 *
 * @module
 */
import { HarnessError } from "../../../errors.ts";
import { inspectNamed, type PackageSummary } from "../../../package/read.ts";
import { SERVER_NAME } from "../../../version.ts";

/** Reads and verifies the package at `path`, its file name included; the error of a bad one says which file it is. */
export async function readPackage(
  path: string,
  options: { signal?: AbortSignal } = {},
): Promise<PackageSummary> {
  try {
    return await inspectNamed(path, options);
  } catch (error) {
    throw aboutPackage(`Cannot accept the package ${path}`, error);
  }
}

/** The error of the package library, begun with `what` instead of "Cannot accept the package". */
export function aboutPackage(what: string, error: unknown): unknown {
  if (!(error instanceof HarnessError) || error.code !== "package_invalid") return error;
  const why = error.message.replace(/^Cannot accept the package: /, "");
  const { details } = error;
  const advice = details?.["reason"] === "manifest_missing"
    ? `; \`${SERVER_NAME} package init\` writes a directory to start from`
    : "";
  return new HarnessError(error.code, `${what}: ${why}${advice}`, {
    cause: error,
    ...(details === undefined ? {} : { details }),
  });
}
