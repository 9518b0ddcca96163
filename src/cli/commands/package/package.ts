/**
 * `package …`: builds, inspects, verifies, signs and uploads packages.
 *
 * @module
 */
import type { Command } from "../../command_line/command.ts";
import { HarnessError } from "../../../errors.ts";
import { visible } from "../../../util/terminal_text.ts";
import { CLIENT_FLAGS, openSession } from "../../session/connect.ts";
import { addHandler, type Context, type Io } from "../../context.ts";
import {
  addFlags,
  booleanFlag,
  type FlagTable,
  presentFields,
  readFlags,
  TABLE_FLAGS,
  valueFlag,
} from "../../flags/flags.ts";
import { note } from "../../output/notes.ts";
import { withHint } from "../../output/hints.ts";
import { CLEAR_LINE } from "../../output/styles.ts";
import { printJson, printTable } from "../../output/table.ts";
import { uploadPackage, whileChecked } from "../../session/upload.ts";
import { semVer } from "../../flags/values.ts";
import { formatSize } from "../../../util/units.ts";

const BUILD_FLAGS = {
  out: valueFlag<string>("dir", {
    help: "where to write the package",
    fallback: ".",
    shownDefault: "the current directory",
  }, (text) => text),
  version: valueFlag<string | null>("version", {
    help: "instead of the version in the manifest",
    fallback: null,
  }, semVer),
  force: booleanFlag({ help: "replace a package of that version with other bytes" }),
  json: booleanFlag({ help: "machine-readable output" }),
} satisfies FlagTable;

const PUSH_FLAGS = {
  force: booleanFlag({ help: "replace a package of that version with other bytes" }),
} satisfies FlagTable;

/** Declares `package init`. */
export function declareInit(command: Command, context: Context): void {
  command.option("--json", "machine-readable output");
  addHandler<{ json?: boolean }>(context, command, async (given, dir = "") => {
    const { initPackage } = await import("./init.ts");
    await initPackage(context.io, dir, { json: given.json === true });
  });
}

/** Declares `package build`. */
export function declareBuild(command: Command, context: Context): void {
  addFlags(command, BUILD_FLAGS);
  addHandler(context, command, (given, dir = "") => buildCommand(context, given, dir));
}

/** Declares `package inspect`. */
export function declareInspect(command: Command, context: Context): void {
  command.option("--json", "machine-readable output");
  addHandler<{ json?: boolean }>(context, command, async (given, file = "") => {
    const { inspectCommand } = await import("./inspect.ts");
    await inspectCommand(context.io, file, { json: given.json === true });
  });
}

/** Declares `package push`. */
export function declarePush(command: Command, context: Context): void {
  addFlags(command, PUSH_FLAGS);
  addFlags(command, CLIENT_FLAGS, "Server:");
  addHandler(context, command, (given, file = "") => pushCommand(context, given, file));
}

/** Declares `package list`. */
export function declareList(command: Command, context: Context): void {
  addFlags(command, TABLE_FLAGS);
  addFlags(command, CLIENT_FLAGS, "Server:");
  addHandler(context, command, (given) => listCommand(context, given));
}

async function buildCommand(context: Context, given: unknown, dir: string): Promise<void> {
  const { io } = context;
  const flags = readFlags(BUILD_FLAGS, given as Record<string, unknown>, io);
  const { buildPackage } = await import("../../../package/build.ts");
  const built = await buildPackage(dir, {
    outDir: flags.out,
    ...presentFields({ version: flags.version }),
    force: flags.force,
    onProgress: ({ phase, bytes, totalBytes }) => showProgress(io, phase, bytes, totalBytes),
    signal: io.interrupted,
  }).catch((error) => {
    throw aboutDirectory(dir, error);
  }).finally(() => clearProgress(io));
  for (const path of built.skipped) note(io, `left out: ${visible(path)}\n`);
  if (flags.json) {
    const { path, sha256, size, entries, unchanged, manifest } = built;
    const { name, version } = manifest;
    return printJson(io, { path, sha256, size, name, version, entries, unchanged });
  }
  const change = built.unchanged ? ", unchanged" : "";
  note(
    io,
    `${built.manifest.name} ${built.manifest.version}: ` +
      `${built.entries} entries, ${formatSize(built.size)}${change}\n`,
  );
  // The form of sha256sum: `… | sha256sum -c` checks it.
  io.out(`${built.sha256}  ${visible(built.path)}\n`);
}

/** Adds the directory to the error of one that is no valid package; that of a missing manifest names it. */
function aboutDirectory(dir: string, error: unknown): unknown {
  const isNamed = error instanceof HarnessError && error.details?.["reason"] === "manifest_missing";
  return isNamed ? error : withHint(error, { code: "package_invalid" }, `the directory is ${dir}`);
}

async function pushCommand(context: Context, given: unknown, file: string): Promise<void> {
  const { force } = readFlags(PUSH_FLAGS, given as Record<string, unknown>, context.io);
  const { beginCheck } = await import("./file.ts");
  const check = await beginCheck(file, context.io.interrupted);
  await whileChecked(check, async () => {
    await using session = await openSession(context, given as object);
    const held = await session.call("list_packages", {});
    const info = await uploadPackage(context, session.flags, { path: file, check, held, force });
    if (session.flags.json) printJson(context.io, info);
    else context.io.out(`${visible(info.sha256)}  ${visible(info.file)}\n`);
  });
}

async function listCommand(context: Context, given: unknown): Promise<void> {
  await using session = await openSession(context, given as object);
  const packages = await session.call("list_packages", {});
  if (session.flags.json) return printJson(context.io, packages);
  if (packages.length === 0) return note(context.io, "no packages\n");
  const { wide } = readFlags(TABLE_FLAGS, given as Record<string, unknown>, context.io);
  printTable(context.io, {
    head: ["NAME", "VERSION", "SIZE", ...(wide ? ["FILE"] : []), "SHA256"],
    rows: packages.map((info) => [
      ...[info.name, info.version, formatSize(info.size)],
      ...(wide ? [info.file] : []),
      info.sha256,
    ]),
  });
}

/** One line that is written over, on a terminal only. */
function showProgress(io: Io, phase: string, bytes: number, totalBytes: number): void {
  if (io.screen === null || io.quiet) return;
  const percent = totalBytes === 0 ? 100 : Math.floor((bytes / totalBytes) * 100);
  io.err(`${CLEAR_LINE}${phase} ${percent} % of ${formatSize(totalBytes)}`);
}

function clearProgress(io: Io): void {
  if (io.screen !== null && !io.quiet) io.err(CLEAR_LINE);
}
