/**
 * The commands that read the log of a managed process.
 *
 * @module
 */
import type { Command } from "../../../executor/executor.ts";
import type { ProcessSpec } from "./commands.ts";
import { LOG_READER } from "./log.ts";
import { AS_SERVICE } from "./run_as.ts";
import { PROCESS_LIBRARY } from "./shell.ts";
import { earlierLogDir } from "../../upgrade_spec.ts";

/**
 * Finds the log. $1 pid file  $2 log  $3 the log as the version before had it, or empty  $4 user, or empty.
 *
 * A run that the version before started writes to a directory of its user's until it is started anew: there nobody
 * reads but that user, whatever the name leads to.
 */
const FIND_LOG = `${PROCESS_LIBRARY}${LOG_READER}
h_log=$2 h_earlier=
h_load "$1" && [ -z "$p_log" ] && [ -n "$3" ] && h_earlier=$3
[ -z "$p_log" ] || h_log=$p_log
h_as=$4 h_dir=/ h_env= h_id=
shift 4
if [ -n "$h_earlier" ]; then
  h_login || { echo "the user $h_as does not exist on this machine" >&2; exit 1; }
fi
`;

/** As its user: a name that leads to a file of root's shows nothing, and a FIFO is no log. $1 log  $2 lines. */
const EARLIER_TAIL =
  `for f in "$1.1" "$1"; do [ ! -f "$f" ] || tail -n "$2" "$f"; done 2>/dev/null | tail -n "$2"`;
const EARLIER_RUN =
  `[ -f "$1" ] || exit 0; f=$3; [ "$f" -le "$(wc -c < "$1")" ] || f=0; tail -c +$((f + 1)) "$1" | tail -n "$2"`;
const EARLIER_FOLLOW = `[ -f "$1" ] || exit 0; exec tail -n 0 -F "$1" 2>/dev/null`;

const TAIL = `${FIND_LOG}
if [ -n "$h_earlier" ]; then
  h_lines=$1
  set -- /bin/sh -c '${EARLIER_TAIL}' sh "$h_earlier" "$h_lines"
  ${AS_SERVICE}
  exec "$@" 7</dev/null 8</dev/null
fi
# Opened before either is read, so that a rotation meanwhile neither hides nor doubles a line.
exec 4</dev/null 3</dev/null
[ ! -f "$h_log" ] || exec 4<"$h_log"
[ ! -f "$h_log.1" ] || exec 3<"$h_log.1"
h_there=0
[ ! -f "$h_log" ] || h_there=$(wc -l < "$h_log")
# The older one only where the newer is read whole: a line may begin in one and end in the other.
if [ "$h_there" -ge "$1" ]; then exec tail -n "$1" <&4; fi
{ [ /proc/self/fd/3 -ef /proc/self/fd/4 ] || tail -n "$1" <&3; cat <&4; } 2>/dev/null | tail -n "$1"
`;

const RUN_TAIL = `${FIND_LOG}
if [ -n "$h_earlier" ]; then
  h_lines=$1
  set -- /bin/sh -c '${EARLIER_RUN}' sh "$h_earlier" "$h_lines" "\${p_from:-0}"
  ${AS_SERVICE}
  exec "$@" 7</dev/null 8</dev/null
fi
# A run of the version before, with its log where it is now.
[ -n "$p_inode" ] || [ -z "$p_from" ] || p_inode=$(h_inode "$h_log")
h_log_since "$p_inode" "\${p_from:-0}" "$1"
`;

const FOLLOW = `${FIND_LOG}
if [ -n "$h_earlier" ]; then
  set -- /bin/sh -c '${EARLIER_FOLLOW}' sh "$h_earlier"
  ${AS_SERVICE}
  exec "$@" 7</dev/null 8</dev/null
fi
exec tail -n 0 -F "$h_log" 2>/dev/null
`;

/** The last `lines` lines of the log, going back into the rotated one. */
export function processTailCommand(spec: ProcessSpec, lines: number): Command {
  return { name: "process/tail", script: TAIL, args: [...where(spec), String(lines)] };
}

/** The end of the log since the program was last started; all of it where that is not known, or was rotated away. */
export function runLogCommand(spec: ProcessSpec, lines: number): Command {
  return { name: "process/run_tail", script: RUN_TAIL, args: [...where(spec), String(lines)] };
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
