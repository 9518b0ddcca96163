/**
 * Managed processes on machines with systemd, each as a unit that we write: `harness-<name>.service`.
 *
 * @module
 */
import type { Driver } from "../../driver.ts";
import { MANAGED_PROCESS } from "../../process/driver.ts";
import { showCommand } from "../commands.ts";
import { SystemdController } from "../controller.ts";
import { unitOccupant } from "../report.ts";
import { UNIT_STATUS, unitLink } from "../status.ts";
import {
  occupantGeneratedCommand,
  reloadGeneratedCommand,
  removeGeneratedCommand,
  startGeneratedCommand,
  stopGeneratedCommand,
} from "./commands.ts";
import { unitName } from "./unit.ts";

/** A managed process as a unit of ours. */
export const generatedUnitDriver: Driver<"managed_process", "managed_process"> = {
  ...MANAGED_PROCESS,
  restartsItself: true,
  status: UNIT_STATUS,
  statusQuery: ({ name }) => [unitName(name)],
  watchPoint: ({ name }) => unitLink(unitName(name)),
  controller(executor, spec, { settleMs }) {
    const name = unitName(spec.name);
    return new SystemdController(executor, spec, {
      name,
      commands: {
        start: () => startGeneratedCommand(spec, { settleMs }),
        stop: () => stopGeneratedCommand(spec),
        reload: () => reloadGeneratedCommand(spec),
        show: () => showCommand(name),
        occupant: () => occupantGeneratedCommand(spec),
      },
      occupant: unitOccupant,
    });
  },
  startCommand: (spec) => startGeneratedCommand(spec),
  stopCommand: stopGeneratedCommand,
  removeCommand: removeGeneratedCommand,
  startHint: ({ name }) => `systemctl start ${unitName(name)}`,
  logHint: ({ name }) => `journalctl -u ${unitName(name)}`,
};
