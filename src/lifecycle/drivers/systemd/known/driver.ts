/**
 * Units that the machine has, and units of portable images.
 *
 * @module
 */
import type { Executor } from "../../../../executor/executor.ts";
import { quote } from "../../../../executor/shell/quote.ts";
import type { Controller } from "../../../service_spec.ts";
import type { ControllerOptions, Driver } from "../../driver.ts";
import { SystemdController } from "../controller.ts";
import { isUnitName } from "../generated/unit.ts";
import { knownOccupant } from "../report.ts";
import { NO_UNIT, UNIT_STATUS, unitLink } from "../status.ts";
import {
  type KnownUnitSpec,
  reloadKnownCommand,
  showKnownCommand,
  startKnownCommand,
  stopKnownCommand,
} from "./commands.ts";

const KNOWN_UNIT = {
  restartsItself: true,
  isolated: false,
  status: UNIT_STATUS,
  // systemctl would take a pattern for many units.
  statusQuery: ({ execution: { unit } }: KnownUnitSpec) => isUnitName(unit) ? [unit] : NO_UNIT,
  watchPoint: ({ execution: { unit } }: KnownUnitSpec) => unitLink(unit),
  controller(
    executor: Executor,
    spec: KnownUnitSpec,
    { settleMs }: ControllerOptions,
  ): Controller {
    return new SystemdController(executor, spec, {
      name: spec.execution.unit,
      commands: {
        start: () => startKnownCommand(spec, settleMs),
        stop: () => stopKnownCommand(spec),
        reload: () => reloadKnownCommand(spec),
        show: () => showKnownCommand(spec),
        occupant: () => showKnownCommand(spec),
      },
      occupant: (report) => knownOccupant(report, spec.execution),
    });
  },
  startCommand: (spec: KnownUnitSpec) => startKnownCommand(spec),
  stopCommand: stopKnownCommand,
  startHint: ({ execution }: KnownUnitSpec) => quote(["systemctl", "start", execution.unit]),
  logHint: ({ execution }: KnownUnitSpec) => quote(["journalctl", "-u", execution.unit]),
};

/** A unit that the machine has. */
export const unitDriver: Driver<"systemd_service", "systemd_service"> = {
  ...KNOWN_UNIT,
  fromManifest: ({ manifest: { name, service } }) => ({
    type: "systemd_service",
    unit: service.unit ?? `${name}.service`,
    claim: true,
  }),
  plannedEntry: ({ name, service }) => ({
    type: "systemd_service",
    unit_name: service.unit ?? `${name}.service`,
  }),
  fromEntry: ({ unit_name }) => ({ type: "systemd_service", unit: unit_name }),
  toEntry: ({ unit }) => ({ type: "systemd_service", unit_name: unit }),
};

/** A unit that the machine gets by attaching a portable image. */
export const portableDriver: Driver<"systemd_portable", "systemd_portable"> = {
  ...KNOWN_UNIT,
  fromEntry: ({ image_name, unit_name }) => ({
    type: "systemd_portable",
    image: image_name,
    unit: unit_name,
  }),
  toEntry: ({ image, unit }) => ({
    type: "systemd_portable",
    image_name: image,
    unit_name: unit,
  }),
};
