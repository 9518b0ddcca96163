/**
 * The runtime of this process, for the few places where Deno, Node and Bun differ.
 *
 * @module
 */
import type process from "node:process";

/** The global of Node and Bun. Deno has it too, and would load `node:process`, which takes 14 ms. */
function nodeProcess(): typeof process {
  return (globalThis as unknown as { process: typeof process }).process;
}

/** The runtimes that this library is for. */
export type RuntimeName = "deno" | "node" | "bun";

/** The runtime of this process. Bun and Deno report a Node version too. */
export function runtimeName(): RuntimeName {
  if ("Deno" in globalThis) return "deno";
  return nodeProcess().versions["bun"] === undefined ? "node" : "bun";
}

/** Name and version of the runtime, such as `node 22.20.0`. */
export function runtimeText(): string {
  const name = runtimeName();
  const version = name === "deno" ? Deno.version.deno : nodeProcess().versions[name];
  return `${name} ${version ?? "?"}`;
}

/** The version of V8, or of what the runtime has instead. */
export function v8Version(): string {
  return runtimeName() === "deno" ? Deno.version.v8 : nodeProcess().versions.v8;
}

/** The user id of this process, `null` on Windows. */
export function ownUid(): number | null {
  return runtimeName() === "deno" ? Deno.uid() : nodeProcess().getuid?.() ?? null;
}

/** Whether Deno has a permission, so that it neither refuses nor asks the user. On Node and Bun there is nothing to grant. */
export function isGranted(permission: Deno.PermissionDescriptor): boolean {
  return runtimeName() !== "deno" ||
    Deno.permissions.querySync(permission).state === "granted";
}
