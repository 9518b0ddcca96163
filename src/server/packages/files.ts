/**
 * File system errors as errors of the protocol.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";

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
