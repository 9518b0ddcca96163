/**
 * The default state directory.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import { SERVER_NAME } from "../../version.ts";

/**
 * The state directory: the flag (or `HARNESS_STATE_DIR`), systemd's `STATE_DIRECTORY`, `/var/lib` for
 * root, else the user's state home.
 *
 * @throws {HarnessError} `invalid_params` when there is no home directory to fall back on.
 */
export function defaultStateDir(
  given: string | null,
  env: (name: string) => string | undefined,
  uid: number | null,
): string {
  if (given !== null) return given;
  // systemd gives a list when a unit has several; the first is ours.
  const fromSystemd = env("STATE_DIRECTORY")?.split(":")[0];
  if (fromSystemd !== undefined && fromSystemd !== "") return fromSystemd;
  if (uid === 0) return `/var/lib/${SERVER_NAME}`;
  const xdg = env("XDG_STATE_HOME");
  if (xdg !== undefined && xdg.startsWith("/")) return `${xdg}/${SERVER_NAME}`;
  const home = env("HOME");
  if (home !== undefined) return `${home}/.local/state/${SERVER_NAME}`;
  const local = env("LOCALAPPDATA");
  if (local !== undefined) return `${local}\\${SERVER_NAME}`;
  throw new HarnessError(
    "invalid_params",
    "Cannot choose a state directory: there is no home directory; give one with --state-dir",
  );
}
