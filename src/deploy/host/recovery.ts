/**
 * Builds `recover.sh`, which the watchdog or the next deployment runs after a switch that was not committed. Pure: made
 * of the commands with which the controllers start and stop services.
 *
 * @module
 */
import type { Command } from "../../executor/executor.ts";
import { quote, quoteWord } from "../../executor/shell/quote.ts";
import type { ServiceSpec } from "../../lifecycle/service_spec.ts";
import { driverFor } from "../../lifecycle/drivers/table.ts";
import { SWITCH_BACK } from "./release/commands.ts";
import { type HostState, stateText } from "./state.ts";
import { DEPLOY_RESERVE_BYTES } from "../limits.ts";
import { HOST_LIBRARY, hostCommand, type HostPlace } from "./command.ts";
import forgetRecovery from "./forget_recovery.sh" with { type: "text" };
import writeRecovery from "./write_recovery.sh" with { type: "text" };

/** Path and runtime of a release that was active, for a rollback. */
export interface ActivePlace {
  /** Directory. */
  dir: string;
  /** File in `envs/`. */
  envName: string;
  /** Owner of the directories of the service while it runs; empty: not changed. */
  owner: string;
  /** How to control it. */
  spec: ServiceSpec;
  /** Whether it runs as a unit that we wrote. */
  unit: boolean;
  /** Whether it is to be started. */
  start: boolean;
}

/** Input of {@linkcode recoveryScript}. */
export interface Recovery {
  /** Where. */
  place: HostPlace;
  /** The release that was switched to, and whether it is a unit that we wrote. */
  stop: { spec: ServiceSpec; unit: boolean };
  /** The release that was active and whether it ran, or `null`. */
  back: ActivePlace | null;
  /** The state without the switch. */
  state: HostState;
}

/**
 * Writes the recovery script from stdin, which the watchdog runs if there is no commit, and reserves a little space: a
 * disk that fills up later must prevent neither the commit nor the rollback from being recorded.
 */
export function writeRecoveryCommand(place: HostPlace, bytes: number): Command {
  return hostCommand(place, "write_recovery", writeRecovery, [bytes, DEPLOY_RESERVE_BYTES]);
}

/** Removes the script of a switch that was committed: an interrupted commit may have left it. */
export function forgetRecoveryCommand(place: HostPlace): Command {
  return hostCommand(place, "forget_recovery", forgetRecovery);
}

/** The text of the script. It is idempotent. */
export function recoveryScript(recovery: Recovery): string {
  const { place, back, stop } = recovery;
  const args = quote([place.layout.root, place.layout.base, place.token]);
  const lines = [
    "#!/bin/sh",
    "# Undoes a switch that was never committed. Made by harness-ws-server.",
    `set -- ${args}`,
    HOST_LIBRARY,
    "set +e",
    'mkdir -p "$stage"',
    commandText(stopServiceCommand(stop, back === null)),
    `set -- ${quote([back?.dir ?? "", back?.envName ?? "", back?.owner ?? ""])}`,
    SWITCH_BACK,
    ...(back?.start
      ? [commandText(driverFor(back.spec.execution, back.unit).startCommand(back.spec))]
      : []),
    `printf '%s' ${quoteWord(stateText(recovery.state))} > "$stage/new" &&`,
    `  d_sync_file "$stage/new" && mv -f "$stage/new" "$base/state.json"`,
    "",
  ];
  return lines.join("\n");
}

/** Where there was no release before, nothing of the service stays. */
function stopServiceCommand({ spec, unit }: Recovery["stop"], first: boolean): Command {
  const driver = driverFor(spec.execution, unit);
  return first && driver.removeCommand ? driver.removeCommand(spec) : driver.stopCommand(spec);
}

function commandText(command: Command): string {
  const words = "argv" in command
    ? command.argv
    : ["sh", "-c", command.script, "sh", ...command.args ?? []];
  return `${quote(words)} || echo "exit code $?"`;
}
