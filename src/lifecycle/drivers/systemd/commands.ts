/**
 * The commands of the systemd controllers as data.
 *
 * @module
 */
import type { Command } from "../../../executor/executor.ts";
import { START_SETTLE_MS } from "../../limits.ts";
import type { ProcessSpec } from "../process/commands.ts";
import { SAY } from "../process/scripts.ts";
import { releaseDirOf, type ServiceSpec, type SpecExecution } from "../../service_spec.ts";
import { LOOK_KNOWN, RELOAD_KNOWN, START_KNOWN, STOP_KNOWN } from "./known_scripts.ts";
import {
  LOOK_UNIT,
  OCCUPANT_GENERATED,
  RELOAD_GENERATED,
  REMOVE_GENERATED,
  START_GENERATED,
  STOP_GENERATED,
} from "./scripts.ts";
import { checkedUnit, servicePlace, unitName, unitText, unmarkedUnitDigest } from "./unit.ts";

/** A spec that is known to be a unit of the machine. */
export type KnownUnitSpec = ServiceSpec & {
  execution: Extract<SpecExecution, { type: "systemd_service" | "systemd_portable" }>;
};

const SETTLE_TENTHS = String(Math.ceil(START_SETTLE_MS / 100));

const CHECK_PROGRAM = `${SAY}\nh_check_program "$1"\n`;

/** Writes the unit of a managed process and starts it as run `runId`, a fresh UUID. */
export function startGeneratedCommand(spec: ProcessSpec, runId: string): Command {
  return {
    script: START_GENERATED,
    args: [
      ...examineArgs(spec),
      unitText(spec, runId),
      runId,
      SETTLE_TENTHS,
      spec.envFile ?? "",
      spec.execution.user ?? "",
      spec.ports.filter((p) => p.protocol !== "udp").map((p) => p.port).join(" "),
      CHECK_PROGRAM,
      ...spec.execution.argv,
    ],
  };
}

/** Stops and disables the unit of a managed process, where it is this service's. */
export function stopGeneratedCommand(spec: ProcessSpec): Command {
  return { script: STOP_GENERATED, args: examineArgs(spec) };
}

/** Stops the unit of a managed process and removes it, where it is this service's. */
export function removeGeneratedCommand(spec: ProcessSpec): Command {
  return { script: REMOVE_GENERATED, args: examineArgs(spec) };
}

/** Reloads the unit of a managed process. */
export function reloadGeneratedCommand(spec: ProcessSpec): Command {
  return { script: RELOAD_GENERATED, args: examineArgs(spec) };
}

/** Looks at what is there under the name of the unit. */
export function occupantGeneratedCommand(spec: ProcessSpec): Command {
  return { script: OCCUPANT_GENERATED, args: examineArgs(spec) };
}

/** Starts a unit that systemd knows, after attaching the portable image where there is one. */
export function startKnownCommand(spec: KnownUnitSpec): Command {
  const image = spec.execution.type === "systemd_portable" ? spec.execution.image : "";
  return { script: START_KNOWN, args: [...claimArgs(spec), SETTLE_TENTHS, image] };
}

/** Stops a unit that systemd knows. */
export function stopKnownCommand(spec: KnownUnitSpec): Command {
  return { script: STOP_KNOWN, args: claimArgs(spec) };
}

/** Reloads a unit that systemd knows. */
export function reloadKnownCommand(spec: KnownUnitSpec): Command {
  return { script: RELOAD_KNOWN, args: claimArgs(spec) };
}

/** Looks at a unit that systemd knows, with this service's record of it. */
export function lookKnownCommand(spec: KnownUnitSpec): Command {
  const place = releaseDirOf(spec) === null ? "" : servicePlace(spec);
  return { script: LOOK_KNOWN, args: [...claimArgs(spec), place] };
}

/** Looks at a unit. */
export function showCommand(unit: string): Command {
  return { script: LOOK_UNIT, args: [checkedUnit(unit)] };
}

function examineArgs(spec: ProcessSpec): string[] {
  return [
    checkedUnit(unitName(spec.name)),
    spec.name,
    servicePlace(spec),
    spec.runDir,
    spec.workDir,
    unmarkedUnitDigest(spec),
  ];
}

function claimArgs(spec: KnownUnitSpec): string[] {
  const { unit, claim } = spec.execution;
  return [checkedUnit(unit), spec.name, spec.runDir, spec.workDir, claim === true ? "claim" : ""];
}

// Exact matches instead of -u, which takes patterns: what the unit wrote, and what systemd and other system services
// wrote about it. The fields with an underscore are journald's own: nobody else can write them.
const OF_UNIT = `
h_id=$(systemctl show -p Id -- "$1" 2>/dev/null | cut -d= -f2-)
h_id=\${h_id:-$1}
h_n=$2
set -- _SYSTEMD_UNIT="$h_id" + _PID=1 UNIT="$h_id" + _UID=0 OBJECT_SYSTEMD_UNIT="$h_id"
`;

/** Prints the end of a unit's journal. */
export function journalCommand(unit: string, lines: number): Command {
  const script = `${OF_UNIT}exec journalctl -n "$h_n" -o cat --no-pager "$@"\n`;
  return { script, args: [checkedUnit(unit), String(lines)] };
}

/** Prints the end of a unit's journal since it was last started, all of it where that is not known. */
export function runJournalCommand(unit: string, lines: number): Command {
  const script = `${OF_UNIT}
timeout 5 journalctl --sync >/dev/null 2>&1
h_run=$(systemctl show -p InvocationID -- "$h_id" | cut -d= -f2-)
# systemd forgets a unit that is down and not enabled; the journal has its last start.
[ -n "$h_run" ] || h_run=$(journalctl -q --no-pager -n 50 -o export _PID=1 UNIT="$h_id" 2>/dev/null | sed -n 's/^INVOCATION_ID=//p' | tail -n 1)
[ -z "$h_run" ] || set -- _SYSTEMD_INVOCATION_ID="$h_run" + _PID=1 INVOCATION_ID="$h_run"
exec journalctl -n "$h_n" -o cat --no-pager "$@"
`;
  return { script, args: [checkedUnit(unit), String(lines)] };
}

/** Prints a unit's journal as it grows. */
export function followJournalCommand(unit: string): Command {
  const script = `${OF_UNIT}exec journalctl -n "$h_n" -f -o cat --no-pager "$@"\n`;
  return { script, args: [checkedUnit(unit), "0"] };
}
