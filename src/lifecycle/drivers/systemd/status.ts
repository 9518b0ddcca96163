/**
 * How units are polled: all of a machine by one `systemctl show`.
 *
 * @module
 */
import { assign } from "../../../executor/shell/include.ts";
import type { ObservedStatus, StatusSource, WatchPoint } from "../driver.ts";
import { CARRIED, UNIT_PROPERTIES } from "./library.ts";
import { ofService, parseUnit, parseUnitReport } from "./report.ts";
import hostStatus from "./host_status.sh" with { type: "text" };

/** The state of a service whose unit has a name that systemd cannot have. */
export const NO_UNIT: ObservedStatus = {
  running: false,
  pid: null,
  containerId: null,
  exitCode: null,
  signal: null,
  detail: "the name of its unit is none that systemd could have",
  restarting: false,
  restarts: 0,
};

/** The link that systemd keeps from the start of a unit until it is inactive, readable by everybody. */
export function unitLink(unit: string): WatchPoint {
  const full = unit.includes(".") ? unit : `${unit}.service`;
  return { kind: "link", value: `/run/systemd/units/invocation:${full}` };
}

/** Polls units. */
export const UNIT_STATUS: StatusSource = {
  section: "unit",
  script: CARRIED + assign({ h_properties: UNIT_PROPERTIES }) + hostStatus,
  read(text, asked) {
    const [, indices = "", body = "", carried = ""] =
      /^units ?(.*)\n([^]*?)^carried\n([^]*)/m.exec(text) ?? [];
    const facts = new Map(
      carried.split(/^at /m).map((part) => [Number.parseInt(part), parseUnitReport(part).facts]),
    );
    const blocks = body.split("\n\n");
    const found = new Map<number, ObservedStatus>();
    indices.split(" ").filter((index) => index !== "").map(Number).forEach((index, at) => {
      const block = blocks[at];
      const spec = asked.get(index);
      if (block === undefined || block.trim() === "" || spec === undefined) return;
      found.set(index, ofService(parseUnit(block, facts.get(at)), spec));
    });
    return found;
  },
};
