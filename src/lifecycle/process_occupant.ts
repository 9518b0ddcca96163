/**
 * What runs on a machine under the name that a managed process would take: this release, another one of the same
 * service, or a copy of it below another install root.
 *
 * @module
 */
import type { Command } from "../executor/executor.ts";
import type { ProcessSpec } from "./process_commands.ts";
import { SAY } from "./process_scripts.ts";
import { PROCESS_LIBRARY } from "./process_shell.ts";
import type { Occupant } from "./service_spec.ts";

/**
 * $1 run dir  $2 name  $3 run directories of all its releases, or empty  $4 release directory.
 *
 * The records are the proof. A variable in an environment is only a hint where to look for one: whoever is not us could
 * write there what he likes, and so keep us from deploying.
 */
const OCCUPANT = `${PROCESS_LIBRARY}${SAY}
h_name=$2 h_release=$4
h_tell() { h_say occupant "$1" "$p_pid" "\${p_run:--}" "$2"; exit 0; }
h_dir_of_run() { if [ -n "$p_dir" ]; then echo "$p_dir"; else h_variable "$p_pid" HARNESS_INSTALL_DIR; fi; }
if h_load "$1/$h_name.pid" && h_alive; then h_tell ours "$(h_dir_of_run)"; fi
if [ -n "$3" ]; then
  for h_file in "$3"/*/"$h_name.pid"; do
    if h_load "$h_file" && h_alive; then h_tell ours "$(h_dir_of_run)"; fi
  done
fi
[ -n "$h_release" ] || { h_say nobody; exit 0; }
# As a name is made part of a path: what is no letter, digit or "-" may be "_" here.
h_as_path() { printf '%s' "$1" | tr -c 'A-Za-z0-9_-' _; }
for h_found in $(h_with HARNESS_SERVICE "\${h_name%%_*}"); do
  [ "$(h_as_path "$(h_variable "$h_found" HARNESS_SERVICE)")" = "$h_name" ] && h_stat "$h_found" || continue
  h_its_base=$(h_variable "$h_found" HARNESS_DATA_DIR)
  h_its_base=\${h_its_base%/shared}
  h_its_run=$(h_variable "$h_found" HARNESS_RUN)
  [ -n "$h_its_base" ] && [ -n "$h_its_run" ] || continue
  for h_file in "$h_its_base"/run/*/"$h_name.pid"; do
    [ -f "$h_file" ] && [ -O "$h_file" ] && [ -O "\${h_file%/*}" ] || continue
    if h_load "$h_file" && [ "$p_run" = "$h_its_run" ] && h_alive; then h_tell foreign "$(h_dir_of_run)"; fi
  done
  # Its records are lost. What runs as ourselves nobody weaker has started.
  if [ -O "/proc/$h_found" ]; then
    p_pid=$h_found p_run=$h_its_run
    if [ "$h_its_base/run" = "$3" ]; then h_tell ours "$(h_variable "$h_found" HARNESS_INSTALL_DIR)"; fi
    h_tell foreign "$(h_variable "$h_found" HARNESS_INSTALL_DIR)"
  fi
done
h_say nobody
`;

/** Looks for what runs under the name of `spec`. */
export function processOccupantCommand(spec: ProcessSpec): Command {
  const runs = /^(.*\/\.harness\/[^/]+\/run)\/[^/]+$/.exec(spec.runDir)?.[1] ?? "";
  const release = spec.workDir === "/" ? "" : spec.workDir;
  return { script: OCCUPANT, args: [spec.runDir, spec.name, runs, release] };
}

/** Reads what the command printed; `null` when nothing runs, `undefined` for no answer. */
export function parseOccupant(stdout: string): Occupant | null | undefined {
  if (/^@harness nobody$/m.test(stdout)) return null;
  const found = /^@harness occupant (ours|foreign) (\d+) (\S+) ?(.*)$/m.exec(stdout);
  if (found === null) return undefined;
  const [, whose, pid = "", run = "-", dir = ""] = found;
  const releaseDir = dir === "" || dir === "/" ? null : dir;
  return {
    kind: "process",
    name: pid,
    ours: whose === "ours",
    identity: { runId: run === "-" ? null : run, releaseDir },
    running: true,
    detail: `running, pid ${pid}${releaseDir === null ? "" : `, from ${releaseDir}`}`,
  };
}
