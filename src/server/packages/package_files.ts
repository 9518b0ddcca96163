/**
 * File names of packages, `<name>-<version>.tar.gz`, and file system errors of their directory.
 *
 * @module
 */
import { MAX_FILE_NAME_LENGTH } from "../limits.ts";
import { HarnessError } from "../../errors.ts";

/** Name and version of a package file, or `null` for another name. */
export function parsePackageFile(file: string): { name: string; version: string } | null {
  if (file.length > MAX_FILE_NAME_LENGTH) return null;
  const match = /^([A-Za-z0-9_][A-Za-z0-9_-]*?)-(\d+\.\d+\.\d+(?:[-_.][A-Za-z0-9._-]*)?)\.tar\.gz$/
    .exec(file);
  const [, name, version] = match ?? [];
  if (name === undefined || version === undefined || /\.\.|\.$/.test(version)) return null;
  return { name, version };
}

/** Whether a file is the package `name@version`, both as in the manifest. */
export function matchesPackage(file: string, reference: string): boolean {
  const at = reference.lastIndexOf("@");
  const parsed = parsePackageFile(file);
  if (at < 1 || parsed === null) return false;
  // The same replacements as for install paths: see docs/package-format.md.
  const name = reference.slice(0, at).replaceAll(/[^A-Za-z0-9_-]/g, "_");
  const version = reference.slice(at + 1).replaceAll("+", "_");
  return parsed.name === name && parsed.version === version;
}

/** Runs `work`; an error of the file system becomes `storage_unavailable`, any other stays. */
export async function asStorage<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = (error as { code?: unknown })?.code;
    if (error instanceof HarnessError || typeof code !== "string" || !/^E[A-Z]+$/.test(code)) {
      throw error;
    }
    throw new HarnessError(
      "storage_unavailable",
      `Cannot ${what}: ${code}; check the disk and the permissions of the packages directory`,
      { cause: error, details: { reason: "packages_directory" } },
    );
  }
}
