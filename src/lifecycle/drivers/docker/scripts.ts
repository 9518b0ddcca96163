/**
 * The scripts that start, stop, reload and inspect a container, and read its log.
 *
 * Each begins with the arguments of library.sh and reports lines `@harness WORD …`; what follows the line
 * `@harness log` is the container's own, whatever its form.
 *
 * The docker client runs as root on the host. It gets an environment of its own, made from nothing: nothing of a
 * package, deployment or manifest is ever in it, nor in the shell that starts it. The variables of a container go
 * through a pipe, from our env file to docker's own format or to the daemon as JSON: no value is ever an argument, a
 * file, or a variable of the docker client. Every call has a time limit of its own, because a daemon that hangs keeps
 * its clients waiting for ever.
 *
 * Our containers carry the labels harness.service (name of the service), harness.root (install root of its deployment,
 * or the directory of a plain registration's bookkeeping), harness.release (directory of the release, or empty),
 * harness.run (id of the start that made the container) and harness.print (digest of everything that it was made from).
 * The version before set harness.service and harness.print alone.
 *
 * @module
 */
import { assign } from "../../../executor/shell/include.ts";
import { FAILURE_LOG_BYTES, FAILURE_LOG_LINES } from "../../limits.ts";
import { OWN_ENVIRONMENT } from "../shell/library.ts";
import { GUARD_FUNCTIONS } from "./guard/guard.ts";
import {
  DOCKER_CHANGE_SECONDS,
  DOCKER_ENV_LINE_BYTES,
  DOCKER_LOAD_SECONDS,
  DOCKER_STATUS_SECONDS,
  DOCKER_STOP_GRACE_SECONDS,
} from "./limits.ts";
import create from "./create/create.sh" with { type: "text" };
import convertEnv from "./create/env.awk" with { type: "text" };
import image from "./create/image.sh" with { type: "text" };
import library from "./library.sh" with { type: "text" };
import logs from "./logs.sh" with { type: "text" };
import look from "./look.sh" with { type: "text" };
import reload from "./reload.sh" with { type: "text" };
import runDocker from "./run_docker.sh" with { type: "text" };
import start from "./start.sh" with { type: "text" };
import stop from "./stop.sh" with { type: "text" };

/** The function `h_docker SECONDS ARGUMENT…`, and h_inspect_format, the format that status.ts reads. */
export const RUN_DOCKER: string = runDocker;

const HEAD = OWN_ENVIRONMENT + runDocker + assign({
  h_status_seconds: DOCKER_STATUS_SECONDS,
  h_change_seconds: DOCKER_CHANGE_SECONDS,
  h_load_seconds: DOCKER_LOAD_SECONDS,
  h_stop_grace_seconds: DOCKER_STOP_GRACE_SECONDS,
  h_failure_lines: FAILURE_LOG_LINES,
  h_failure_bytes: FAILURE_LOG_BYTES,
}) + library;

const CREATE = assign({
  h_env_line_bytes: DOCKER_ENV_LINE_BYTES,
  h_awk: `BEGIN { most = ${DOCKER_ENV_LINE_BYTES} }\n${convertEnv}`,
}) + create;

/** Makes the container unless there is a fitting one, and starts it. */
export const START_CONTAINER: string = HEAD + image + GUARD_FUNCTIONS + CREATE + start;

/** Stops the container. */
export const STOP_CONTAINER: string = HEAD + GUARD_FUNCTIONS + stop;

/** Sends SIGHUP to the main process of the container. */
export const RELOAD_CONTAINER: string = HEAD + reload;

/** Inspects the container, regardless of its owner. */
export const LOOK_CONTAINER: string = HEAD + look;

/** Prints or follows the container's log. */
export const CONTAINER_LOGS: string = HEAD + logs;
