/**
 * The commands for units of the machine and of portable images, as data.
 *
 * @module
 */
import { settleTenths } from "../../run_control.ts";
import type { Command } from "../../../../executor/executor.ts";
import { releaseDirOf, type SpecOf } from "../../../service_spec.ts";
import { checkedUnit, servicePlace } from "../generated/unit.ts";
import { LOOK_KNOWN, RELOAD_KNOWN, START_KNOWN, STOP_KNOWN } from "./scripts.ts";

/** A spec that is known to be a unit of the machine. */
export type KnownUnitSpec = SpecOf<"systemd_service" | "systemd_portable">;

/** Starts a unit that systemd knows, after attaching the portable image where there is one. */
export function startKnownCommand(
  spec: KnownUnitSpec,
  settleMs?: number,
): Command {
  const tenths = settleTenths(settleMs);
  const image = spec.execution.type === "systemd_portable" ? spec.execution.image : "";
  return {
    name: "systemd/known/start",
    script: START_KNOWN,
    args: [...claimArgs(spec), tenths, image],
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

/** Shows a unit that systemd knows, with this service's record of it. */
export function showKnownCommand(spec: KnownUnitSpec): Command {
  const place = releaseDirOf(spec) === null ? "" : servicePlace(spec);
  return { name: "systemd/known/look", script: LOOK_KNOWN, args: [...claimArgs(spec), place] };
}

function claimArgs(spec: KnownUnitSpec): string[] {
  const { unit, claim } = spec.execution;
  return [checkedUnit(unit), spec.name, spec.runDir, spec.workDir, claim === true ? "claim" : ""];
}
