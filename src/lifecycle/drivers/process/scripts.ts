/**
 * The scripts that start, stop, reload and poll a process. Each prints one line `@harness WORD …`, then log lines.
 *
 * @module
 */
import { assign, include } from "../../../executor/shell/include.ts";
import { SERVICE_LOG_KEEP, SERVICE_LOG_MAX_BYTES } from "../../limits.ts";
import {
  AS_SERVICE,
  OWN_DESCRIPTORS,
  OWN_SESSION,
  PROCESS_LIBRARY,
  REPORT,
} from "../shell/library.ts";
import { LOG_READER, LOG_TIMES, LOG_WRITER } from "./log/log.ts";
import occupant from "./occupant.sh" with { type: "text" };
import programs from "./programs.sh" with { type: "text" };
import reload from "./reload.sh" with { type: "text" };
import shim from "./shim.sh" with { type: "text" };
import start from "./start.sh" with { type: "text" };
import status from "./status.sh" with { type: "text" };
import stop from "./stop.sh" with { type: "text" };

/** What a script that runs a program of the service, or reads its log, needs beside the library. */
const PROGRAMS = assign({ h_log_max_bytes: SERVICE_LOG_MAX_BYTES, h_log_keep: SERVICE_LOG_KEEP }) +
  LOG_WRITER + LOG_READER + programs;

const HEAD = PROCESS_LIBRARY + REPORT + PROGRAMS;

/** The parts that a script includes in its middle. */
const PARTS = { as_service: AS_SERVICE, own_descriptors: OWN_DESCRIPTORS };

/** Starts the program by its shim and waits until it has stayed alive for a moment. */
export const START_SCRIPT: string = HEAD +
  include(start, { own_session: OWN_SESSION, own_descriptors: OWN_DESCRIPTORS });

/** Stops the program and everything of its run. */
export const STOP_SCRIPT: string = HEAD + include(stop, PARTS);

/** Makes the program read its configuration again. */
export const RELOAD_SCRIPT: string = HEAD + include(reload, PARTS);

/** Prints one status line; see `parseProcessStatus`. $1 run dir  $2 name. */
export const STATUS_SCRIPT: string = `${PROCESS_LIBRARY}${status}h_status "$1" "$2"\n`;

/** Finds what runs in the place of a service. */
export const OCCUPANT_SCRIPT: string = PROCESS_LIBRARY + REPORT + occupant;

/** The shim of one run: the parent of the program, which records its end and writes its log. */
export const PROCESS_SHIM: string = PROCESS_LIBRARY + LOG_WRITER + LOG_READER + LOG_TIMES +
  include(shim, { as_service: AS_SERVICE, own_session: OWN_SESSION });
