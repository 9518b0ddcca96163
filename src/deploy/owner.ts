/**
 * Names the deploying process, for the lock on a host.
 *
 * @module
 */
import { hostname, userInfo } from "node:os";
import process from "node:process";
import { isGranted } from "../util/node/runtime.ts";

/** `user@machine (pid 123)` of this process, or less without the permission; never prompts. */
export function lockOwner(): string {
  const pid = `(pid ${process.pid})`;
  return isGranted({ name: "sys" })
    ? `${known(() => userInfo().username)}@${known(hostname)} ${pid}`
    : `harness ${pid}`;
}

/** The result, or "?": a container may run as a user that has no name. */
function known(ask: () => string): string {
  try {
    return ask() || "?";
  } catch {
    return "?";
  }
}
