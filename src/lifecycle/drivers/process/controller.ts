/**
 * The controller for a process on a machine without systemd: own session, pid file, log file, exit record.
 *
 * @module
 */
import { HarnessError } from "../../../errors.ts";
import type { Executor } from "../../../executor/executor.ts";
import { COMMAND_GRACE_MS, START_TIMEOUT_MS } from "../../limits.ts";
import { STATUS_TIMEOUT_MS } from "../../../model/limits.ts";
import type { ControllerOptions } from "../driver.ts";
import { controlError, daemonHint, runControl } from "../run_control.ts";
import { statusFromCode } from "../../exit_status.ts";
import { followLog, tailLog } from "../../logs.ts";
import {
  parseProcessStatus,
  parseReport,
  type ProcessReport,
  type ProcessSpec,
  reloadCommand,
  startCommand,
  statusCommand,
  stopCommand,
} from "./commands.ts";
import {
  processFollowCommand,
  processSinceCommand,
  processTailCommand,
  runLogCommand,
} from "./log/commands.ts";
import { parseOccupant, processOccupantCommand } from "./occupant.ts";
import type {
  Controller,
  ControlOptions,
  LogOptions,
  Occupant,
  ServiceStatus,
} from "../../service_spec.ts";

/** Runs a managed process in a session of its own. */
export class ProcessController implements Controller {
  readonly #executor: Executor;
  readonly #spec: ProcessSpec;
  readonly #settings: ControllerOptions;
  readonly #startTimeoutMs: number;

  /** A controller for `spec` on the machine of `executor`. */
  constructor(executor: Executor, spec: ProcessSpec, settings: ControllerOptions = {}) {
    this.#executor = executor;
    this.#spec = spec;
    this.#settings = settings;
    this.#startTimeoutMs = settings.startTimeoutMs ?? START_TIMEOUT_MS;
  }

  /** Starts the program unless it runs; resolves when it has stayed alive for a moment. */
  async start(options: ControlOptions = {}): Promise<ServiceStatus> {
    const report = await this.#report("start", startCommand(this.#spec, this.#settings), {
      ...options,
      timeoutMs: this.#startTimeoutMs + COMMAND_GRACE_MS,
    });
    if (report.outcome === "running") return running(report);
    throw this.#failure("start", report);
  }

  /** Stops the program and everything it started. */
  async stop(options: ControlOptions = {}): Promise<ServiceStatus> {
    const { stop } = this.#spec;
    const report = await this.#report("stop", stopCommand(this.#spec), {
      ...options,
      timeoutMs: stop.timeoutMs + 2 * COMMAND_GRACE_MS,
    });
    if (report.outcome !== "stopped") throw this.#failure("stop", report);
    const [code = "", killed] = report.words;
    if (code === "none") return parseProcessStatus("none");
    const end = statusFromCode(code);
    const how = killed === "yes"
      ? `killed, because it did not end within ${stop.timeoutMs} ms`
      : `stopped (${end.text})`;
    return { running: false, pid: null, containerId: null, ...end.facts, detail: how };
  }

  /** Runs the reload program, or sends SIGHUP to the main process. */
  async reload(options: ControlOptions = {}): Promise<ServiceStatus> {
    const report = await this.#report("reload", reloadCommand(this.#spec), {
      ...options,
      timeoutMs: START_TIMEOUT_MS,
    });
    if (report.outcome === "running") return running(report);
    throw this.#failure("reload", report);
  }

  /** Checks whether the recorded process still runs. */
  async status(options: ControlOptions = {}): Promise<ServiceStatus> {
    const result = await runControl(this.#executor, statusCommand(this.#spec), {
      what: `read the status of ${this.#spec.name}`,
      timeoutMs: STATUS_TIMEOUT_MS,
      ...options,
    });
    return parseProcessStatus(result.stdout);
  }

  /** What runs in its place: this release, or another one below the same install root. */
  async occupant(options: ControlOptions = {}): Promise<Occupant | null> {
    const what = `look for other runs of ${this.#spec.name}`;
    const result = await runControl(this.#executor, processOccupantCommand(this.#spec), {
      what,
      timeoutMs: STATUS_TIMEOUT_MS,
      ...options,
    });
    const found = parseOccupant(result.stdout);
    if (found !== undefined) return found;
    throw controlError(`Cannot ${what} on ${this.#executor.host}`, {
      reason: "the control script was cut off before it could report",
      exit: { exitCode: result.exitCode, signal: result.signal },
      log: result.stderr.split("\n").filter((line) => line !== ""),
    });
  }

  /** The last lines of its log, oldest first. */
  logs(lines: number, options: LogOptions = {}): Promise<string[]> {
    const { lastRun, sinceMs, ...control } = options;
    const command = lastRun
      ? runLogCommand(this.#spec, lines)
      : sinceMs === undefined
      ? processTailCommand(this.#spec, lines)
      : processSinceCommand(this.#spec, lines, sinceMs);
    return tailLog(this.#executor, command, lines, control);
  }

  /** Log lines as they are written. */
  follow(options: ControlOptions = {}): AsyncIterable<string> {
    return followLog(this.#executor, processFollowCommand(this.#spec), options);
  }

  async #report(
    verb: string,
    command: Parameters<Executor["run"]>[0],
    options: ControlOptions & { timeoutMs: number },
  ): Promise<ProcessReport> {
    const result = await runControl(this.#executor, command, {
      what: `${verb} ${this.#spec.name}`,
      ...options,
    });
    const report = parseReport(result.stdout);
    if (report !== null) return report;
    throw controlError(`Cannot ${verb} ${this.#spec.name} on ${this.#executor.host}`, {
      reason: "the control script was cut off before it could report",
      exit: { exitCode: result.exitCode, signal: result.signal },
      log: result.stderr.split("\n").filter((line) => line !== ""),
    });
  }

  #failure(verb: string, report: ProcessReport): HarnessError {
    const head = `Cannot ${verb} ${this.#spec.name} on ${this.#executor.host}`;
    switch (report.outcome) {
      case "failed":
        return controlError(head, { reason: report.text, log: report.log });
      case "exited": {
        const end = statusFromCode(report.words[0] ?? "");
        return controlError(head, {
          reason: `the program ${end.text} at once${daemonHint(this.#spec.execution, end.facts)}`,
          exit: end.facts,
          log: report.log,
        });
      }
      case "timeout":
        return new HarnessError(
          "timeout",
          `${head}: not started after ${this.#startTimeoutMs} ms, and killed`,
          {
            details: { reason: "start timed out", exit_code: null, signal: null, log: report.log },
          },
        );
      default:
        return controlError(head, {
          reason: `processes ${report.text} outlive SIGKILL; they wait for the kernel`,
          log: report.log,
        });
    }
  }
}

function running(report: ProcessReport): ServiceStatus {
  return parseProcessStatus(`running ${report.text}`);
}
