/**
 * Controllers on systemd: a managed process as a unit of ours, a unit that is already there, a portable service.
 *
 * @module
 */
import { HarnessError } from "../../../errors.ts";
import type { Command, Executor } from "../../../executor/executor.ts";
import { COMMAND_GRACE_MS, START_TIMEOUT_MS } from "../../limits.ts";
import { STATUS_TIMEOUT_MS } from "../../../model/limits.ts";
import { controlError, daemonHint, runControl } from "../run_control.ts";
import { describeEnd, type ExitStatus } from "../../exit_status.ts";
import { followLog, tailLog } from "../../logs.ts";
import type {
  Controller,
  ControlOptions,
  LogOptions,
  Occupant,
  ServiceSpec,
  ServiceStatus,
} from "../../service_spec.ts";
import { followJournalCommand, journalCommand, runJournalCommand } from "./commands.ts";
import { endInJournal, ofService, parseUnitReport, type UnitReport, unitStatus } from "./report.ts";

/** A unit as its driver controls it. */
export interface ControlledUnit {
  /** Unit name. */
  name: string;
  /** Its commands. */
  commands: UnitCommands;
  /** What a report shows to be under its name. */
  occupant: (report: UnitReport) => Occupant | null;
}

/** The commands for one unit. */
interface UnitCommands {
  start: () => Command;
  stop: () => Command;
  reload: () => Command;
  show: () => Command;
  occupant: () => Command;
}

/** Runs a service as a systemd unit. */
export class SystemdController implements Controller {
  readonly #executor: Executor;
  readonly #spec: ServiceSpec;
  readonly #unit: string;
  readonly #commands: UnitCommands;
  readonly #occupant: (report: UnitReport) => Occupant | null;

  /** A controller for a unit on the machine of `executor`. */
  constructor(executor: Executor, spec: ServiceSpec, unit: ControlledUnit) {
    this.#executor = executor;
    this.#spec = spec;
    this.#unit = unit.name;
    this.#commands = unit.commands;
    this.#occupant = unit.occupant;
  }

  /** Starts the unit; resolves when it has stayed up for a moment and what runs is known to be what was started. */
  async start(options: ControlOptions = {}): Promise<ServiceStatus> {
    const timeoutMs = START_TIMEOUT_MS + COMMAND_GRACE_MS;
    return await this.#change("start", this.#commands.start, timeoutMs, options);
  }

  /** Stops the unit with everything in its control group, where it is this service's. */
  async stop(options: ControlOptions = {}): Promise<ServiceStatus> {
    const timeoutMs = this.#spec.stop.timeoutMs + 2 * COMMAND_GRACE_MS;
    return await this.#change("stop", this.#commands.stop, timeoutMs, options);
  }

  /** Reloads the unit. */
  reload(options: ControlOptions = {}): Promise<ServiceStatus> {
    return this.#change("reload", this.#commands.reload, START_TIMEOUT_MS, options);
  }

  /** Reads the state of the unit. */
  async status(options: ControlOptions = {}): Promise<ServiceStatus> {
    const report = await this.#show(this.#commands.show, options);
    return ofService(unitStatus(report), this.#spec);
  }

  /** What has the unit's name: its owner, and whether it runs. Read-only. */
  async occupant(options: ControlOptions = {}): Promise<Occupant | null> {
    return this.#occupant(await this.#show(this.#commands.occupant, options));
  }

  /** The end of the unit's journal. */
  async logs(lines: number, options: LogOptions = {}): Promise<string[]> {
    const { lastRun, sinceMs, ...control } = options;
    const command = lastRun
      ? runJournalCommand(this.#unit, lines)
      : journalCommand(this.#unit, lines, sinceMs);
    return await tailLog(this.#executor, command, lines, control);
  }

  /** The unit's journal as it grows. */
  async *follow(options: ControlOptions = {}): AsyncGenerator<string> {
    yield* followLog(this.#executor, followJournalCommand(this.#unit), options);
  }

  async #show(command: () => Command, options: ControlOptions): Promise<UnitReport> {
    const result = await runControl(this.#executor, command(), {
      what: `read the status of ${this.#spec.name}`,
      timeoutMs: STATUS_TIMEOUT_MS,
      ...options,
    });
    return parseUnitReport(result.stdout);
  }

  async #change(
    verb: string,
    command: () => Command,
    timeoutMs: number,
    options: ControlOptions,
  ): Promise<ServiceStatus> {
    const result = await runControl(this.#executor, command(), {
      what: `${verb} ${this.#spec.name}`,
      timeoutMs,
      ...options,
    });
    const report = parseUnitReport(result.stdout);
    if (report.outcome === "done" && report.properties !== "") {
      return stopped(ofService(unitStatus(report), this.#spec), report);
    }
    const head = `Cannot ${verb} ${this.#spec.name} on ${this.#executor.host}`;
    if (report.outcome === "occupied") throw occupiedError(head, this.#occupant(report), report);
    const why = report.outcome === "done" ? noAnswer(result.stderr) : report.reason;
    throw this.#failure(head, { ...report, reason: why }, verb, result.stderr);
  }

  #failure(head: string, report: UnitReport, verb: string, stderr: string): HarnessError {
    const log = report.outcome === "done" ? stderr.split("\n") : report.log;
    const status = report.properties === "" ? null : unitStatus(report);
    const known = status !== null && (status.exitCode !== null || status.signal !== null);
    const exit: ExitStatus | null = known ? status : endInJournal(report.messages);
    const hint = verb === "start" && exit !== null ? this.#hint(exit) : "";
    return controlError(head, {
      reason: exit === null
        ? report.reason
        : `${report.reason}: the program ${describeEnd(exit)}${hint}`,
      log: log.filter((line) => line !== ""),
      ...(exit === null ? {} : { exit }),
    });
  }

  #hint(exit: ExitStatus): string {
    const { execution } = this.#spec;
    const confined = execution.type === "managed_process" &&
      execution.hardening !== undefined && execution.hardening !== false;
    return exit.signal === "SIGSYS" && confined
      ? " (a system call that service.hardening forbids; a 32-bit program needs system_call_architectures: false)"
      : daemonHint(execution, exit);
  }
}

function noAnswer(stderr: string): string {
  const last = stderr.trim().split("\n").at(-1) ?? "";
  return last === "" ? "systemctl did not respond" : `systemctl did not respond: ${last}`;
}

/** The name is taken by what this service may not touch. */
function occupiedError(head: string, occupant: Occupant | null, report: UnitReport): HarnessError {
  const name = occupant?.name ?? "its unit";
  const detail = occupant?.detail ?? report.reason;
  const release = occupant?.identity?.releaseDir ?? null;
  const whose = release === null || detail.includes(release) ? "" : `, release ${release}`;
  const reason = `the unit ${name} is taken: ${detail}${whose}`;
  return new HarnessError(
    "conflict",
    `${head}: ${reason}; it was left as it is. Stop or remove it, or use another name`,
    {
      details: {
        reason: "occupied",
        occupant: occupant === null ? null : { ...occupant },
        exit_code: null,
        signal: null,
        log: [],
      },
    },
  );
}

/** After a stop that left the unit alone, because it is not this service's: this service does not run there. */
function stopped(status: ServiceStatus, report: UnitReport): ServiceStatus {
  const kind = report.facts.get("class");
  if (kind !== "foreign" && kind !== "elsewhere") return status;
  return {
    ...status,
    running: false,
    pid: null,
    detail: `${status.detail}; left as it is: ${report.facts.get("why") ?? "it is not ours"}`,
  };
}
