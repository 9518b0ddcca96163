/**
 * The controller for a container of the machine's Docker daemon.
 *
 * @module
 */
import { HarnessError } from "../../../errors.ts";
import type { Command, Executor } from "../../../executor/executor.ts";
import { COMMAND_GRACE_MS, START_TIMEOUT_MS } from "../../limits.ts";
import { STATUS_TIMEOUT_MS } from "../../../model/limits.ts";
import type { ControllerOptions } from "../driver.ts";
import { controlError, runControl } from "../run_control.ts";
import {
  containerLogsCommand,
  type DockerSpec,
  followContainerCommand,
  inspectCommand,
  ownerOf,
  reloadContainerCommand,
  startContainerCommand,
  stopContainerCommand,
} from "./commands.ts";
import { DOCKER_CHANGE_SECONDS, DOCKER_LOAD_SECONDS } from "./limits.ts";
import { type ContainerStatus, occupantOf, parseContainer, statusOf } from "./status.ts";
import { describeEnd } from "../../exit_status.ts";
import { followLog, tailLog } from "../../logs.ts";
import type {
  Controller,
  ControlOptions,
  LogOptions,
  Occupant,
  ServiceStatus,
} from "../../service_spec.ts";

/** What a docker script reported. */
interface Report {
  /** The containers it showed, `null` for one that is not there. */
  containers: (ContainerStatus | null)[];
  /** Why it did not work, or `null`. */
  problem: { kind: "failed" | "occupied" | "silent"; reason: string } | null;
  /** The container's last log lines. */
  log: string[];
}

/** Runs a service as a container. */
export class DockerController implements Controller {
  readonly #executor: Executor;
  readonly #spec: DockerSpec;
  readonly #settings: ControllerOptions;

  /** A controller for `spec` on the machine of `executor`. */
  constructor(executor: Executor, spec: DockerSpec, settings: ControllerOptions = {}) {
    this.#executor = executor;
    this.#spec = spec;
    this.#settings = settings;
  }

  /** Creates and starts the container unless it runs; resolves when it has stayed up for a moment. */
  start(options: ControlOptions = {}): Promise<ServiceStatus> {
    const { imageTar } = this.#spec.execution;
    const loadMs = imageTar === null ? 0 : DOCKER_LOAD_SECONDS * 1000;
    const { startTimeoutMs = START_TIMEOUT_MS, settleMs } = this.#settings;
    const timeoutMs = startTimeoutMs + loadMs + COMMAND_GRACE_MS;
    const command = startContainerCommand(this.#spec, { settleMs });
    return this.#change("start", command, timeoutMs, options);
  }

  /** Stops the container; it stays, with its log. What is not this service's is left alone. */
  stop(options: ControlOptions = {}): Promise<ServiceStatus> {
    const timeoutMs = this.#spec.stop.timeoutMs + DOCKER_CHANGE_SECONDS * 1000 + COMMAND_GRACE_MS;
    return this.#change("stop", stopContainerCommand(this.#spec), timeoutMs, options);
  }

  /** Sends SIGHUP to the container's main process. */
  reload(options: ControlOptions = {}): Promise<ServiceStatus> {
    return this.#change("reload", reloadContainerCommand(this.#spec), STATUS_TIMEOUT_MS, options);
  }

  /** Inspects the container. One of that name that is not this service's proves nothing about it. */
  async status(options: ControlOptions = {}): Promise<ServiceStatus> {
    const { named } = await this.#inspect(options);
    return statusOf(named, ownerOf(this.#spec));
  }

  /** What has the container's name, or runs as this service's container under another one. */
  async occupant(options: ControlOptions = {}): Promise<Occupant | null> {
    const owner = ownerOf(this.#spec);
    const { named, stray } = await this.#inspect(options);
    if (stray !== null) return { ...occupantOf(stray, owner), ours: false };
    return named === null ? null : occupantOf(named, owner);
  }

  /** The end of the container's log. Another environment is another container, with a log of its own. */
  logs(lines: number, options: LogOptions = {}): Promise<string[]> {
    const { lastRun: _, sinceMs, ...control } = options;
    const command = containerLogsCommand(this.#spec, lines, sinceMs);
    return tailLog(this.#executor, command, lines, control);
  }

  /** The container's log as it grows. */
  follow(options: ControlOptions = {}): AsyncIterable<string> {
    return followLog(this.#executor, followContainerCommand(this.#spec), options);
  }

  async #inspect(
    options: ControlOptions,
  ): Promise<{ named: ContainerStatus | null; stray: ContainerStatus | null }> {
    const head = `inspect ${this.#spec.name}`;
    const result = await runControl(this.#executor, inspectCommand(this.#spec), {
      what: head,
      timeoutMs: STATUS_TIMEOUT_MS,
      ...options,
    });
    const [before = "", after] = result.stdout.split(/^@harness seen.*\n/m, 2);
    const { problem } = reportOf(result.stdout);
    if (problem !== null || after === undefined) {
      throw this.#error(head, problem, { log: [], exit: null, stderr: result.stderr });
    }
    return {
      named: reportOf(before).containers[0] ?? null,
      stray: reportOf(after).containers[0] ?? null,
    };
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
    const { containers, problem, log } = reportOf(result.stdout);
    const container = containers.at(-1) ?? null;
    if (problem === null && containers.length > 0) {
      return statusOf(container, ownerOf(this.#spec));
    }
    throw this.#error(`${verb} ${this.#spec.name}`, problem, {
      log,
      exit: container,
      stderr: result.stderr,
    });
  }

  #error(
    head: string,
    problem: Report["problem"],
    facts: { log: string[]; exit: ContainerStatus | null; stderr: string },
  ): HarnessError {
    const { log, exit, stderr } = facts;
    const where = `Cannot ${head} on ${this.#executor.host}`;
    if (problem?.kind === "occupied") {
      const occupant = exit === null ? null : occupantOf(exit, ownerOf(this.#spec));
      return new HarnessError("conflict", `${where}: ${problem.reason}`, {
        details: { reason: "occupied", occupant, exit_code: null, signal: null, log: [] },
      });
    }
    if (problem === null) {
      const last = stderr.trim().split("\n").at(-1) ?? "";
      return controlError(where, { reason: last || "its shell ended without a report" });
    }
    const ended = exit !== null && (exit.exitCode !== null || exit.signal !== null);
    return controlError(where, {
      reason: ended ? `${problem.reason}: the program ${describeEnd(exit)}` : problem.reason,
      log: log.filter((line) => line !== ""),
      ...(ended ? { exit } : {}),
    });
  }
}

/** Reads our own lines. Everything after the line `@harness log` is output of the container. */
function reportOf(stdout: string): Report {
  const report: Report = { containers: [], problem: null, log: [] };
  const lines = stdout.split("\n");
  for (const [at, line] of lines.entries()) {
    const [, word = "", rest = ""] = /^@harness (\S+) ?(.*)/s.exec(line) ?? [];
    if (word === "log") {
      report.log = lines.slice(at + 1);
      break;
    }
    if (word === "container") report.containers.push(parseContainer(rest));
    if (word === "failed" || word === "occupied" || word === "silent") {
      report.problem = { kind: word, reason: rest.trim() };
    }
  }
  return report;
}
