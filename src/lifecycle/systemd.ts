/**
 * Controllers on systemd: a managed process as a unit of ours, a unit that is already there, a portable service.
 *
 * @module
 */
import type { Command, Executor } from "../executor/executor.ts";
import { COMMAND_GRACE_MS, LOOK_TIMEOUT_MS, START_TIMEOUT_MS } from "../limits.ts";
import { controlError, daemonHint, runControl } from "./control.ts";
import { describeEnd } from "./exit_status.ts";
import { followLog, tailLog } from "./logs.ts";
import type { ProcessSpec } from "./process_commands.ts";
import type {
  Controller,
  ControlOptions,
  LogOptions,
  ServiceSpec,
  ServiceStatus,
  SpecExecution,
} from "./service_spec.ts";
import {
  endInJournal,
  followJournalCommand,
  journalCommand,
  parseUnit,
  reloadUnitCommand,
  runJournalCommand,
  showCommand,
  startGeneratedCommand,
  startKnownCommand,
  stopUnitCommand,
} from "./systemd_commands.ts";
import { unitName } from "./systemd_unit.ts";

/** Runs a service as a systemd unit. */
export class SystemdController implements Controller {
  readonly #executor: Executor;
  readonly #name: string;
  readonly #unit: string;
  readonly #start: () => Command;
  readonly #generated: boolean;
  readonly #execution: SpecExecution;
  readonly #stopTimeoutMs: number;

  private constructor(
    executor: Executor,
    spec: ServiceSpec,
    unit: { name: string; start: () => Command; generated: boolean },
  ) {
    this.#executor = executor;
    this.#name = spec.name;
    this.#unit = unit.name;
    this.#start = unit.start;
    this.#generated = unit.generated;
    this.#execution = spec.execution;
    this.#stopTimeoutMs = spec.stop.timeoutMs;
  }

  /** A managed process, as a unit that we write: `harness-<name>.service`. */
  static generated(executor: Executor, spec: ProcessSpec): SystemdController {
    return new SystemdController(executor, spec, {
      name: unitName(spec.name),
      start: () => startGeneratedCommand(spec),
      generated: true,
    });
  }

  /** A unit that systemd knows, or gets by attaching the portable `image`. */
  static known(
    executor: Executor,
    spec: ServiceSpec,
    unit: string,
    image: string | null = null,
  ): SystemdController {
    return new SystemdController(executor, spec, {
      name: unit,
      start: () => startKnownCommand(unit, image),
      generated: false,
    });
  }

  /** Starts the unit; resolves when it has stayed up for a moment. */
  start(options: ControlOptions = {}): Promise<ServiceStatus> {
    return this.#change("start", this.#start(), START_TIMEOUT_MS + COMMAND_GRACE_MS, options);
  }

  /** Stops the unit with everything in its control group. */
  stop(options: ControlOptions = {}): Promise<ServiceStatus> {
    const command = stopUnitCommand(this.#unit, this.#generated);
    return this.#change("stop", command, this.#stopTimeoutMs + 2 * COMMAND_GRACE_MS, options);
  }

  /** Reloads the unit. */
  reload(options: ControlOptions = {}): Promise<ServiceStatus> {
    return this.#change("reload", reloadUnitCommand(this.#unit), START_TIMEOUT_MS, options);
  }

  /** Looks at the unit. */
  async status(options: ControlOptions = {}): Promise<ServiceStatus> {
    const result = await runControl(this.#executor, showCommand(this.#unit), {
      what: `look at ${this.#name}`,
      timeoutMs: LOOK_TIMEOUT_MS,
      ...options,
    });
    return parseUnit(result.stdout);
  }

  /** The end of the unit's journal. */
  logs(lines: number, options: LogOptions = {}): Promise<string[]> {
    const { lastRun, ...control } = options;
    const command = lastRun
      ? runJournalCommand(this.#unit, lines)
      : journalCommand(this.#unit, lines);
    return tailLog(this.#executor, command, lines, control);
  }

  /** The unit's journal as it grows. */
  follow(options: ControlOptions = {}): AsyncIterable<string> {
    return followLog(this.#executor, followJournalCommand(this.#unit), options);
  }

  async #change(
    verb: string,
    command: Command,
    timeoutMs: number,
    options: ControlOptions,
  ): Promise<ServiceStatus> {
    const result = await runControl(this.#executor, command, {
      what: `${verb} ${this.#name}`,
      timeoutMs,
      ...options,
    });
    const head = `Cannot ${verb} ${this.#name} on ${this.#executor.host}`;
    const [, report = ""] = result.stdout.split(/^@harness unit$/m);
    const failed = /^@harness (?:failed|error) (.*)$/m.exec(result.stdout);
    if (failed === null && report !== "") return parseUnit(report);
    const log = failed === null
      ? result.stderr.split("\n")
      : result.stdout.slice(failed.index).split("\n").slice(1);
    const status = report === "" ? null : parseUnit(report);
    const why = failed?.[1] ?? "systemctl did not answer";
    const known = status !== null && (status.exitCode !== null || status.signal !== null);
    const exit = known ? status : endInJournal(log);
    const hint = verb === "start" && exit !== null ? daemonHint(this.#execution, exit) : "";
    throw controlError(head, {
      reason: exit === null ? why : `${why}: the program ${describeEnd(exit)}${hint}`,
      log: log.filter((line) => line !== ""),
      ...(exit === null ? {} : { exit }),
    });
  }
}
