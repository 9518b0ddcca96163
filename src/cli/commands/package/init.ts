/**
 * `package init`: writes a package directory to start from.
 *
 * @module
 */
import { readdir, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { visible } from "../../../util/terminal_text.ts";
import { HarnessError, messageOf } from "../../../errors.ts";
import { PACKAGE_NAME } from "../../../package/names.ts";
import { SERVER_NAME } from "../../../version.ts";
import type { Io } from "../../context.ts";
import { note } from "../../output/notes.ts";
import { printJson } from "../../output/table.ts";
import { packageTemplate } from "./template.ts";
import { hasErrorCode, makeDirectory } from "../../../util/node/files.ts";

/**
 * Writes a new package directory.
 *
 * @throws {HarnessError} `already_exists` when there is something in it, `invalid_params` when its name
 * is no package name.
 */
export async function initPackage(
  io: Io,
  dir: string,
  options: { json: boolean },
): Promise<void> {
  const name = basename(resolve(dir));
  if (!PACKAGE_NAME.test(name)) {
    throw new HarnessError(
      "invalid_params",
      `Cannot name a package ${JSON.stringify(name)}: use letters, digits, ".", "_" and "-"`,
    );
  }
  await refuseToOverwrite(dir);
  try {
    for (const file of packageTemplate(name)) {
      const path = join(dir, file.path);
      await makeDirectory(dirname(path), 0o777);
      await writeFile(path, file.text, { mode: file.executable ? 0o755 : 0o644 });
    }
  } catch (error) {
    throw new HarnessError("forbidden", `Cannot write ${dir}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  if (options.json) return printJson(io, { dir, name });
  io.out(`${visible(dir)}\n`);
  note(io, `next: put your program into ${visible(join(dir, "bin"))}, then\n`);
  note(io, `  ${SERVER_NAME} package build ${visible(dir)}\n`);
}

async function refuseToOverwrite(dir: string): Promise<void> {
  try {
    if ((await readdir(dir)).length === 0) return;
  } catch (error) {
    if (hasErrorCode(error, "ENOENT")) return;
    throw new HarnessError("forbidden", `Cannot use ${dir}: ${messageOf(error)}`, { cause: error });
  }
  throw new HarnessError(
    "already_exists",
    `Cannot make a package in ${dir}: it is not empty, name a new directory`,
  );
}
