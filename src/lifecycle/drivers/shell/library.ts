/**
 * The sh text that the drivers and the health checks share: the process library, and how a program of a service is
 * executed (its program, its stop, reload and health scripts).
 *
 * Privileges are dropped first: root opens the env file as a descriptor, and only the process that has become the
 * service's user reads it and executes the program. No process of root's ever has a variable of a manifest or a
 * deployment. The scripts are constants and take what varies as positional parameters. They run in dash, bash, ksh and
 * BusyBox ash. Names: `h_…` are functions and scratch variables, `p_…` come from the pid file, `st_…` from
 * /proc/PID/stat.
 *
 * @module
 */
import { assign, include } from "../../../executor/shell/include.ts";
import { LOADER_PATTERN } from "../../../package/manifest/loader_env.ts";
import asService from "./as_service.sh" with { type: "text" };
import environment from "./environment.sh" with { type: "text" };
import launcher from "./launcher.sh" with { type: "text" };
import library from "./library.sh" with { type: "text" };
import login from "./login.sh" with { type: "text" };
import ownDescriptors from "./own_descriptors.sh" with { type: "text" };
import ownSession from "./own_session.sh" with { type: "text" };
import report from "./report.sh" with { type: "text" };
import usesSystemd from "./uses_systemd.sh" with { type: "text" };

/** First lines of every script: nothing of the caller's environment decides which programs are executed. */
export const OWN_ENVIRONMENT: string = environment;

/** Turns "$@" into what runs it as the service would be run; see as_service.sh. Included, since it changes "$@". */
export const AS_SERVICE: string = assign({
  h_launcher: include(launcher, { loader_variables: `${LOADER_PATTERN}) echo "$h_found" ;;` }),
}) + asService;

/** Puts what makes "$@" run in a session of its own in front of it. */
export const OWN_SESSION: string = ownSession;

/** Closes the descriptors that the caller left open, here and in front of "$@". */
export const OWN_DESCRIPTORS: string = ownDescriptors;

/** Functions that find, watch and end the processes of a run. */
export const PROCESS_FUNCTIONS: string = login + library;

/** What a script that works on processes begins with. */
export const PROCESS_LIBRARY: string = environment + PROCESS_FUNCTIONS;

/** Functions that report one line, and that check a program before it is started. */
export const REPORT: string = report;

/** The function `h_uses_systemd`. */
export const USES_SYSTEMD: string = usesSystemd;
