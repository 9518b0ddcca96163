/**
 * The log of a managed process as sh text: written by a process of ours from a pipe, and read back.
 *
 * The service has the pipe alone. It can neither replace the file, nor cut it, nor outrun its rotation.
 *
 * @module
 */
import { assign } from "../../../../executor/shell/include.ts";
import {
  FAILURE_LOG_BYTES,
  FAILURE_LOG_LINES,
  LOG_MARK_SECONDS,
  MAX_LOG_MARKS,
  MAX_TAIL_BYTES,
} from "../../../limits.ts";
import reader from "./reader.sh" with { type: "text" };
import times from "./times.sh" with { type: "text" };
import writer from "./writer.sh" with { type: "text" };

/** Functions that write the log $h_log: at most $h_max bytes a file, with $h_keep older ones kept. */
export const LOG_WRITER: string = writer;

/** A function that notes when the log $h_log had how many bytes. */
export const LOG_TIMES: string =
  assign({ h_mark_seconds: LOG_MARK_SECONDS, h_max_marks: MAX_LOG_MARKS }) + times;

/** Functions that read the log of one run: what was written since it began, whatever was rotated meanwhile. */
export const LOG_READER: string = assign({
  h_tail_bytes: MAX_TAIL_BYTES,
  h_failure_lines: FAILURE_LOG_LINES,
  h_failure_bytes: FAILURE_LOG_BYTES,
}) + reader;
