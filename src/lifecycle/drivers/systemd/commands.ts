/**
 * The commands of the systemd controllers as data.
 *
 * @module
 */
import type { Command } from "../../../executor/executor.ts";
import { START_SETTLE_MS } from "../../limits.ts";
import type { ProcessSpec } from "../process/commands.ts";
import { releaseDirOf, type ServiceSpec, type SpecExecution } from "../../service_spec.ts";
import { LOOK_KNOWN, RELOAD_KNOWN, START_KNOWN, STOP_KNOWN } from "./known/scripts.ts";
import { REPORT } from "../shell/library.ts";
import journal from "./journal.sh" with { type: "text" };
import runJournal from "./run_journal.sh" with { type: "text" };
import { LOOK_UNIT } from "./library.ts";
import {
  OCCUPANT_GENERATED,
  RELOAD_GENERATED,
  REMOVE_GENERATED,
  START_GENERATED,
  STOP_GENERATED,
} from "./generated/scripts.ts";
import {
  checkedUnit,
  servicePlace,
  unitName,
  unitText,
  unmarkedUnitDigest,
} from "./generated/unit.ts";

/** A spec that is known to be a unit of the machine. */
export type KnownUnitSpec = ServiceSpec & {
  execution: Extract<SpecExecution, { type: "systemd_service" | "systemd_portable" }>;
};

const SETTLE_TENTHS = String(Math.ceil(START_SETTLE_MS / 100));

const CHECK_PROGRAM = `${REPORT}h_check_program "$1"\n`;

/** Writes the unit of a managed process and starts it as run `runId`, a fresh UUID. */
export function startGeneratedCommand(spec: ProcessSpec, runId: string): Command {
  return {
    name: "systemd/start",
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
  return { name: "systemd/stop", script: STOP_GENERATED, args: examineArgs(spec) };
}

/** Stops the unit of a managed process and removes it, where it is this service's. */
export function removeGeneratedCommand(spec: ProcessSpec): Command {
  return { name: "systemd/remove", script: REMOVE_GENERATED, args: examineArgs(spec) };
}

/** Reloads the unit of a managed process. */
export function reloadGeneratedCommand(spec: ProcessSpec): Command {
  return { name: "systemd/reload", script: RELOAD_GENERATED, args: examineArgs(spec) };
}

/** Looks at what is there under the name of the unit. */
export function occupantGeneratedCommand(spec: ProcessSpec): Command {
  return { name: "systemd/occupant", script: OCCUPANT_GENERATED, args: examineArgs(spec) };
}

/** Starts a unit that systemd knows, after attaching the portable image where there is one. */
export function startKnownCommand(spec: KnownUnitSpec): Command {
  const image = spec.execution.type === "systemd_portable" ? spec.execution.image : "";
  return {
    name: "systemd/known/start",
    script: START_KNOWN,
    args: [...claimArgs(spec), SETTLE_TENTHS, image],
  };
}

/** Stops a unit that systemd knows. */
export function stopKnownCommand(spec: KnownUnitSpec): Command {
  return { name: "systemd/known/stop", script: STOP_KNOWN, args: claimArgs(spec) };
}

/** Reloads a unit that systemd knows. */
export function reloadKnownCommand(spec: KnownUnitSpec): Command {
  return { name: "systemd/known/reload", script: RELOAD_KNOWN, args: claimArgs(spec) };
}

/** Looks at a unit that systemd knows, with this service's record of it. */
export function lookKnownCommand(spec: KnownUnitSpec): Command {
  const place = releaseDirOf(spec) === null ? "" : servicePlace(spec);
  return { name: "systemd/known/look", script: LOOK_KNOWN, args: [...claimArgs(spec), place] };
}

/** Looks at a unit. */
export function showCommand(unit: string): Command {
  return { name: "systemd/look", script: LOOK_UNIT, args: [checkedUnit(unit)] };
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

/** Prints the end of a unit's journal. */
export function journalCommand(unit: string, lines: number): Command {
  const script = `${journal}exec journalctl -n "$h_n" -o cat --no-pager "$@"\n`;
  return { name: "systemd/journal", script, args: [checkedUnit(unit), String(lines)] };
}

/** Prints the end of a unit's journal since it was last started, all of it where that is not known. */
export function runJournalCommand(unit: string, lines: number): Command {
  return {
    name: "systemd/run_journal",
    script: journal + runJournal,
    args: [checkedUnit(unit), String(lines)],
  };
}

/** Prints a unit's journal as it grows. */
export function followJournalCommand(unit: string): Command {
  const script = `${journal}exec journalctl -n "$h_n" -f -o cat --no-pager "$@"\n`;
  return { name: "systemd/follow", script, args: [checkedUnit(unit), "0"] };
}
