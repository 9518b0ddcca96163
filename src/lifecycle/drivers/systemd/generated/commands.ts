/**
 * The commands for the units that we write, as data.
 *
 * @module
 */
import { settleTenths } from "../../run_control.ts";
import type { Command } from "../../../../executor/executor.ts";
import type { ProcessSpec } from "../../process/commands.ts";
import { REPORT } from "../../shell/library.ts";
import {
  OCCUPANT_GENERATED,
  RELOAD_GENERATED,
  REMOVE_GENERATED,
  START_GENERATED,
  STOP_GENERATED,
} from "./scripts.ts";
import { checkedUnit, servicePlace, unitName, unitText, unmarkedUnitDigest } from "./unit.ts";

const CHECK_PROGRAM = `${REPORT}h_check_program "$1"\n`;

/** Writes the unit of a managed process and starts it as run `runId`. */
export function startGeneratedCommand(
  spec: ProcessSpec,
  { runId = crypto.randomUUID(), settleMs }: {
    runId?: string;
    settleMs?: number | undefined;
  } = {},
): Command {
  return {
    name: "systemd/start",
    script: START_GENERATED,
    args: [
      ...examineArgs(spec),
      unitText(spec, runId),
      runId,
      settleTenths(settleMs),
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

/** Reports what has the name of the unit. */
export function occupantGeneratedCommand(spec: ProcessSpec): Command {
  return { name: "systemd/occupant", script: OCCUPANT_GENERATED, args: examineArgs(spec) };
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
