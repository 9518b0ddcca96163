/**
 * The scripts for units of the machine and of portable images. All begin with the arguments of claim.sh.
 *
 * @module
 */
import { UNIT_LIBRARY } from "../library.ts";
import claim from "./claim.sh" with { type: "text" };
import look from "./look.sh" with { type: "text" };
import reload from "./reload.sh" with { type: "text" };
import start from "./start.sh" with { type: "text" };
import stop from "./stop.sh" with { type: "text" };

const HEAD = UNIT_LIBRARY + claim;

/** Starts the unit, after attaching its portable image where it has one. */
export const START_KNOWN: string = HEAD + start;

/** What was not started by this service's record is left as it is; nothing is ever disabled. */
export const STOP_KNOWN: string = HEAD + stop;

/** Reloads the unit. */
export const RELOAD_KNOWN: string = HEAD + reload;

/** Shows the unit, and the host's record of releases. */
export const LOOK_KNOWN: string = HEAD + look;
