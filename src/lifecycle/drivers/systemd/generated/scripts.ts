/**
 * The scripts for the units that we write. All begin with the arguments of examine.sh.
 *
 * @module
 */
import { UNIT_LIBRARY } from "../library.ts";
import examine from "./examine.sh" with { type: "text" };
import reload from "./reload.sh" with { type: "text" };
import remove from "./remove.sh" with { type: "text" };
import start from "./start.sh" with { type: "text" };
import stop from "./stop.sh" with { type: "text" };

const HEAD = UNIT_LIBRARY + examine;

/** Writes the unit and starts it. */
export const START_GENERATED: string = HEAD + start;

/** A unit that is not this service's is left as it is; one that was edited by hand is refused. */
export const STOP_GENERATED: string = HEAD + stop;

/** Stops, disables and removes a unit of this service; any other is left as it is. */
export const REMOVE_GENERATED: string = HEAD + remove;

/** Finds the owner of the unit. */
export const OCCUPANT_GENERATED: string = `${HEAD}h_examine\nh_verdict\n`;

/** Reloads the unit. */
export const RELOAD_GENERATED: string = HEAD + reload;
