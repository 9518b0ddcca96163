/**
 * `package`: build, look into, check and sign packages.
 *
 * @module
 */
import type { Command } from "commander";
import type { Context } from "./context.ts";

/** Declares `package` and its commands. */
export function addPackageCommands(program: Command, _context: Context): void {
  program.command("package").description("build, inspect, verify and sign packages");
}
