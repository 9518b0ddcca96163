/**
 * Probes as sh text, for the service's own machine: with whatever tools that machine has.
 *
 * @module
 */
import { assign, include } from "../../executor/shell/include.ts";
import {
  AS_SERVICE,
  OWN_DESCRIPTORS,
  OWN_ENVIRONMENT,
  PROCESS_LIBRARY,
} from "../drivers/shell/library.ts";
import { MAX_HEALTH_OUTPUT_BYTES } from "../limits.ts";
import clearProbe from "./clear_probe.sh" with { type: "text" };
import httpProbe from "./http_probe.sh" with { type: "text" };
import scriptProbe from "./script_probe.sh" with { type: "text" };
import tcpProbe from "./tcp_probe.sh" with { type: "text" };

/** Runs a probe script as the service would be run. */
export const SCRIPT_PROBE: string = PROCESS_LIBRARY +
  include(scriptProbe, { as_service: AS_SERVICE, own_descriptors: OWN_DESCRIPTORS });

/** Kills what a hung probe left behind. */
export const CLEAR_PROBE: string = PROCESS_LIBRARY + clearProbe;

/** Sends one GET and prints the raw answer. */
export const HTTP_PROBE: string = OWN_ENVIRONMENT +
  assign({ h_max_output: MAX_HEALTH_OUTPUT_BYTES }) + httpProbe;

/** Connects to a TCP port. */
export const TCP_PROBE: string = OWN_ENVIRONMENT + tcpProbe;
