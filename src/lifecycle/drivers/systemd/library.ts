/**
 * What all systemd scripts share. They are sh text for machines with systemd, run as root.
 *
 * Each prints `@harness unit` with the unit's properties and what it carries, and where it did not work a line
 * `@harness failed|error|occupied …`. Text of others comes behind a `|` (the service's log) or a `!` (systemd's own
 * messages), so that none of its lines is ever taken for one of ours. report.ts reads it.
 *
 * @module
 */
import { assign } from "../../../executor/shell/include.ts";
import { FAILURE_LOG_BYTES, FAILURE_LOG_LINES } from "../../limits.ts";
import { PROCESS_LIBRARY, REPORT } from "../shell/library.ts";
import carried from "./carried.sh" with { type: "text" };
import library from "./library.sh" with { type: "text" };

/** The properties that show the state and the owner of a unit. */
export const UNIT_PROPERTIES =
  "Id,LoadState,ActiveState,SubState,MainPID,ExecMainCode,ExecMainStatus,Result,NRestarts,InvocationID," +
  "UnitFileState,FragmentPath,WorkingDirectory,Environment,EnvironmentFiles";

/** Prints what the environment of process $1 holds of its run, as lines `@harness run|release|data …`. */
export const CARRIED: string = carried;

const UNIT_FUNCTIONS: string = carried + assign({
  h_properties: UNIT_PROPERTIES,
  h_failure_lines: FAILURE_LOG_LINES,
  h_failure_bytes: FAILURE_LOG_BYTES,
}) + library;

/** Functions that show a unit, start it and read its journal. */
export const UNIT_LIBRARY: string = PROCESS_LIBRARY + REPORT + UNIT_FUNCTIONS;

/** $1 unit. */
export const LOOK_UNIT: string = `${REPORT}${UNIT_FUNCTIONS}h_unit=$1\nh_look\nh_report\n`;
