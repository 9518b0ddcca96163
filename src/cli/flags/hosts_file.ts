/**
 * Reads a file of hosts.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import { parseTarget } from "../../model/target.ts";
import type { NamedFile } from "./flags.ts";
import { named, readNamedFile } from "./secrets.ts";

/**
 * The hosts of a file: one a line, `#` begins a comment.
 *
 * @throws {HarnessError} `invalid_params` with file and line, or `not_found`.
 */
export async function readHostsFile(file: NamedFile): Promise<string[]> {
  const text = await readNamedFile(file);
  const hosts: string[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const host = line.replace(/(^|\s)#.*/s, "").trim();
    if (host === "") continue;
    try {
      parseTarget(host);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new HarnessError("invalid_params", `Cannot use ${named(file)}:${index + 1}: ${why}`, {
        cause: error,
      });
    }
    hosts.push(host);
  }
  if (hosts.length === 0) {
    throw new HarnessError(
      "invalid_params",
      `Cannot use ${named(file)}: there is no host in it, write one a line`,
    );
  }
  return hosts;
}
