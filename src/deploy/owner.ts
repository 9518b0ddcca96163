/**
 * Who deploys, for the lock on a host.
 *
 * @module
 */
import { hostname, userInfo } from "node:os";
import process from "node:process";

/** `user@machine (pid 123)` of this process; what must not be asked is left out, and nobody is asked for it. */
export function lockOwner(): string {
  const pid = `(pid ${process.pid})`;
  return mayAsk()
    ? `${known(() => userInfo().username)}@${known(hostname)} ${pid}`
    : `harness ${pid}`;
}

/** Under Deno a question without its permission would become a prompt. */
function mayAsk(): boolean {
  return typeof Deno === "undefined" ||
    Deno.permissions.querySync({ name: "sys" }).state === "granted";
}

/** The answer; "?" where there is none: a container may run as a user that has no name. */
function known(ask: () => string): string {
  try {
    return ask() || "?";
  } catch {
    return "?";
  }
}
