/**
 * What runs on a machine in the place that a managed process would take: this release, or another one of the same
 * service below the same install root. A process without systemd takes no name of the machine's: below another install
 * root it is another service.
 *
 * @module
 */
import type { Command } from "../../../executor/executor.ts";
import type { ProcessSpec } from "./commands.ts";
import { OCCUPANT_SCRIPT } from "./scripts.ts";
import type { Occupant } from "../../service_spec.ts";

/** Finds what runs in the place of `spec`. */
export function processOccupantCommand(spec: ProcessSpec): Command {
  const runs = /^(.*\/\.harness\/[^/]+\/run)\/[^/]+$/.exec(spec.runDir)?.[1] ?? "";
  return {
    name: "process/occupant",
    script: OCCUPANT_SCRIPT,
    args: [spec.runDir, spec.name, runs, spec.execution.user ?? ""],
  };
}

/** Reads what the command printed; `null` when nothing runs, `undefined` for no answer. */
export function parseOccupant(stdout: string): Occupant | null | undefined {
  if (/^@harness nobody$/m.test(stdout)) return null;
  const found = /^@harness occupant (\d+) (\S+) ?(.*)$/m.exec(stdout);
  if (found === null) return undefined;
  const [, pid = "", run = "-", dir = ""] = found;
  const releaseDir = dir === "" || dir === "/" ? null : dir;
  return {
    kind: "process",
    name: pid,
    ours: true,
    identity: { runId: run === "-" ? null : run, releaseDir },
    running: true,
    detail: `running, pid ${pid}${releaseDir === null ? "" : `, from ${releaseDir}`}`,
  };
}
