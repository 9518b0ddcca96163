/**
 * The commands that read the log of a managed process.
 *
 * @module
 */
import type { Command } from "../../../../executor/executor.ts";
import { include } from "../../../../executor/shell/include.ts";
import { earlierLogDir } from "../../../upgrade_spec.ts";
import { AS_SERVICE, PROCESS_LIBRARY } from "../../shell/library.ts";
import type { ProcessSpec } from "../commands.ts";
import { LOG_READER } from "./log.ts";
import find from "./find.sh" with { type: "text" };
import follow from "./follow.sh" with { type: "text" };
import since from "./since.sh" with { type: "text" };
import run from "./run.sh" with { type: "text" };
import tail from "./tail.sh" with { type: "text" };

const HEAD = PROCESS_LIBRARY + LOG_READER + find;
const PARTS = { as_service: AS_SERVICE };
const TAIL = HEAD + include(tail, PARTS);
const RUN_TAIL = HEAD + include(run, PARTS);
const SINCE = HEAD + since;
const FOLLOW = HEAD + include(follow, PARTS);

/** The last `lines` lines of the log, going back into the rotated one. */
export function processTailCommand(spec: ProcessSpec, lines: number): Command {
  return { name: "process/tail", script: TAIL, args: [...where(spec), String(lines)] };
}

/** The end of the log since the program was last started; all of it where that is not known, or was rotated away. */
export function runLogCommand(spec: ProcessSpec, lines: number): Command {
  return { name: "process/run_tail", script: RUN_TAIL, args: [...where(spec), String(lines)] };
}

/** The last `lines` lines of what was written since a time; it may begin some seconds earlier. */
export function processSinceCommand(spec: ProcessSpec, lines: number, sinceMs: number): Command {
  const args = [...where(spec), String(lines), String(Math.floor(sinceMs / 1000))];
  return { name: "process/since", script: SINCE, args };
}

/** What is appended to the log from now on, across rotations. */
export function processFollowCommand(spec: ProcessSpec): Command {
  return { name: "process/follow", script: FOLLOW, args: where(spec) };
}

function where(spec: ProcessSpec): string[] {
  const earlier = earlierLogDir(spec);
  return [
    `${spec.runDir}/${spec.name}.pid`,
    `${spec.logDir}/${spec.name}.log`,
    earlier === null ? "" : `${earlier}/${spec.name}.log`,
    spec.execution.user ?? "",
  ];
}
