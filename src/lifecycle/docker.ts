/**
 * The controller for a container of the machine's Docker daemon.
 *
 * @module
 */
import type { Command, Executor } from "../executor/executor.ts";
import { COMMAND_GRACE_MS, LOOK_TIMEOUT_MS, START_TIMEOUT_MS } from "../limits.ts";
import { controlError, runControl } from "./control.ts";
import {
  containerLogsCommand,
  type DockerSpec,
  followContainerCommand,
  inspectCommand,
  parseContainer,
  reloadContainerCommand,
  startContainerCommand,
  stopContainerCommand,
} from "./docker_commands.ts";
import { describeEnd } from "./exit_status.ts";
import { followLog, tailLog } from "./logs.ts";
import type { Controller, ControlOptions, LogOptions, ServiceStatus } from "./service_spec.ts";

const ABSENT: ServiceStatus = {
  running: false,
  pid: null,
  containerId: null,
  exitCode: null,
  signal: null,
  detail: "there is no such container",
};

/** Runs a service as a container. */
export class DockerController implements Controller {
  readonly #executor: Executor;
  readonly #spec: DockerSpec;

  /** A controller for `spec` on the machine of `executor`. */
  constructor(executor: Executor, spec: DockerSpec) {
    this.#executor = executor;
    this.#spec = spec;
  }

  /** Creates and starts the container unless it runs; resolves when it has stayed up for a moment. */
  start(options: ControlOptions = {}): Promise<ServiceStatus> {
    const timeoutMs = START_TIMEOUT_MS + COMMAND_GRACE_MS;
    return this.#change("start", startContainerCommand(this.#spec), timeoutMs, options);
  }

  /** Stops the container; it stays, with its log. */
  stop(options: ControlOptions = {}): Promise<ServiceStatus> {
    const timeoutMs = this.#spec.stop.timeoutMs + 2 * COMMAND_GRACE_MS;
    return this.#change("stop", stopContainerCommand(this.#spec), timeoutMs, options);
  }

  /** Sends SIGHUP to the container's main process. */
  reload(options: ControlOptions = {}): Promise<ServiceStatus> {
    return this.#change("reload", reloadContainerCommand(this.#spec), LOOK_TIMEOUT_MS, options);
  }

  /** Looks at the container. */
  async status(options: ControlOptions = {}): Promise<ServiceStatus> {
    const name = this.#spec.execution.container;
    const result = await runControl(this.#executor, inspectCommand(name), {
      what: `look at ${this.#spec.name}`,
      timeoutMs: LOOK_TIMEOUT_MS,
      ...options,
    });
    const status = parseContainer(result.stdout);
    if (status !== null) return status;
    if (/no such/i.test(result.stderr)) return ABSENT;
    throw controlError(`Cannot look at ${this.#spec.name} on ${this.#executor.host}`, {
      reason: result.stderr.trim() || describeEnd(result),
    });
  }

  /** The end of the container's log. Another environment is another container, with a log of its own. */
  logs(lines: number, options: LogOptions = {}): Promise<string[]> {
    const command = containerLogsCommand(this.#spec.execution.container, lines);
    const { lastRun: _, ...control } = options;
    return tailLog(this.#executor, command, lines, control);
  }

  /** The container's log as it grows. */
  follow(options: ControlOptions = {}): AsyncIterable<string> {
    const command = followContainerCommand(this.#spec.execution.container);
    return followLog(this.#executor, command, options);
  }

  async #change(
    verb: string,
    command: Command,
    timeoutMs: number,
    options: ControlOptions,
  ): Promise<ServiceStatus> {
    const result = await runControl(this.#executor, command, {
      what: `${verb} ${this.#spec.name}`,
      timeoutMs,
      ...options,
    });
    const [, report = null] = result.stdout.split(/^@harness container\n/m);
    const status = report === null ? null : parseContainer(report.split("\n")[0] ?? "");
    const failed = /^@harness (?:failed|error) (.*)$/m.exec(result.stdout);
    if (failed === null && report !== null) return status ?? ABSENT;
    const log = failed === null
      ? result.stderr.split("\n")
      : result.stdout.slice(failed.index).split("\n").slice(1);
    const ended = status !== null && (status.exitCode !== null || status.signal !== null);
    const why = failed?.[1] ?? "docker did not answer";
    throw controlError(`Cannot ${verb} ${this.#spec.name} on ${this.#executor.host}`, {
      reason: ended ? `${why}: the program ${describeEnd(status)}` : why,
      log: log.filter((line) => line !== ""),
      ...(ended ? { exit: status } : {}),
    });
  }
}
