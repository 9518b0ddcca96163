/**
 * The runtime of this process, for the few places where Deno, Node and Bun differ.
 *
 * @module
 */
import process from "node:process";

/** The runtimes that this library is for. */
export type RuntimeName = "deno" | "node" | "bun";

/** The runtime of this process. Bun and Deno report a Node version too. */
export function runtimeName(): RuntimeName {
  if ("Deno" in globalThis) return "deno";
  return process.versions["bun"] === undefined ? "node" : "bun";
}

/** Name and version of the runtime, such as `node 22.20.0`. */
export function runtimeText(): string {
  const name = runtimeName();
  return `${name} ${process.versions[name] ?? "?"}`;
}

/** The user id of this process, `null` on Windows. */
export function ownUid(): number | null {
  return process.getuid?.() ?? null;
}
