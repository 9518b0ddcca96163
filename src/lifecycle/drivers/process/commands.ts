/**
 * The commands of the process controller as data: pure functions from a spec to what an executor runs, and back
 * from what it printed to facts.
 *
 * @module
 */
import { settleTenths } from "../run_control.ts";
import type { Command } from "../../../executor/executor.ts";
import type { ControllerOptions } from "../driver.ts";
import {
  KILL_WAIT_MS,
  SERVICE_LOG_KEEP,
  SERVICE_LOG_MAX_BYTES,
  START_TIMEOUT_MS,
} from "../../limits.ts";
import {
  PROCESS_SHIM,
  RELOAD_SCRIPT,
  START_SCRIPT,
  STATUS_SCRIPT,
  STOP_SCRIPT,
} from "./scripts.ts";
import { statusFromCode } from "../../exit_status.ts";
import type { RunIdentity, ServiceStatus, SpecOf } from "../../service_spec.ts";

/** A spec that is known to be a managed process. */
export type ProcessSpec = SpecOf<"managed_process">;

/** What a start, stop or reload script reported. */
export interface ProcessReport {
  /** The first word: `running`, `exited`, `failed`, `timeout`, `stopped`, `stuck`. */
  outcome: string;
  /** The words after it. */
  words: string[];
  /** The text of a `failed` line. */
  text: string;
  /** The log lines that came with it. */
  log: string[];
}

/** Starts the process unless it runs. Each run takes a fresh UUID on the host: it marks everything that it starts. */
export function startCommand(spec: ProcessSpec, settings: ControllerOptions = {}): Command {
  const { startTimeoutMs = START_TIMEOUT_MS, settleMs } = settings;
  const { execution } = spec;
  return {
    name: "process/start",
    script: START_SCRIPT,
    args: [
      spec.runDir,
      spec.name,
      spec.logDir,
      String(SERVICE_LOG_MAX_BYTES),
      String(SERVICE_LOG_KEEP),
      execution.start,
      spec.workDir,
      spec.envFile ?? "",
      execution.user ?? "",
      settleTenths(settleMs),
      tenths(startTimeoutMs),
      spec.ports.filter((p) => p.protocol !== "udp").map((p) => p.port).join(" "),
      PROCESS_SHIM,
      ...execution.argv,
    ],
  };
}

/** Stops the process and everything of its run. */
export function stopCommand(spec: ProcessSpec): Command {
  return {
    name: "process/stop",
    script: STOP_SCRIPT,
    args: [
      spec.runDir,
      spec.name,
      spec.logDir,
      spec.stop.signal,
      tenths(spec.stop.timeoutMs),
      tenths(KILL_WAIT_MS),
      spec.workDir,
      spec.envFile ?? "",
      spec.execution.user ?? "",
      ...(spec.execution.stopArgv ?? []),
    ],
  };
}

/** Makes the process reload: its own reload program, or SIGHUP to the main process. */
export function reloadCommand(spec: ProcessSpec): Command {
  return {
    name: "process/reload",
    script: RELOAD_SCRIPT,
    args: [
      spec.runDir,
      spec.name,
      spec.logDir,
      spec.workDir,
      spec.envFile ?? "",
      spec.execution.user ?? "",
      ...(spec.execution.reloadArgv ?? []),
    ],
  };
}

/** Reads the state of the process. */
export function statusCommand(spec: ProcessSpec): Command {
  return { name: "process/status", script: STATUS_SCRIPT, args: [spec.runDir, spec.name] };
}

/**
 * Reads what a start, stop or reload script printed; `null` for nothing we know. The first line of ours
 * counts: what follows it are lines of a log, and a service may write there what it likes.
 */
export function parseReport(stdout: string): ProcessReport | null {
  const report = /^@harness (.*)/ms.exec(stdout);
  if (report === null) return null;
  const [first = "", ...rest] = (report[1] ?? "").split("\n");
  const [outcome = "", ...words] = first.split(" ");
  if (rest.at(-1) === "") rest.pop();
  return { outcome, words, text: words.join(" "), log: rest };
}

/** Reads one status line: `running PID RUN DIR`, `ended CODE STOPPED`, `gone WHY` or `none`. */
export function parseProcessStatus(line: string): ServiceStatus {
  const [word = "", first = "", second = ""] = line.trim().split(" ");
  const none = { running: false, pid: null, containerId: null, exitCode: null, signal: null };
  switch (word) {
    case "running":
      return {
        ...none,
        running: true,
        pid: Number(first),
        detail: `running, pid ${first}`,
        identity: identityOf(line.trim()),
      };
    case "ended": {
      const end = statusFromCode(first);
      const asked = second === "yes";
      return {
        ...none,
        ...end.facts,
        detail: asked ? `stopped (${end.text})` : end.text,
        asked,
      };
    }
    case "gone":
      return {
        ...none,
        detail: first === "rebooted"
          ? "gone: the machine was rebooted since"
          : "gone: the process is no longer there and nothing recorded how it ended",
      };
    default:
      return { ...none, detail: "never started" };
  }
}

/** The run that `running PID RUN DIR` names; `-` or nothing is unknown. */
function identityOf(line: string): RunIdentity | null {
  const [, run = "-", dir = ""] = /^running \d+ (\S+) ?(.*)/s.exec(line) ?? [];
  if (run === "-" && dir === "") return null;
  return { runId: run === "-" ? null : run, releaseDir: dir === "" || dir === "/" ? null : dir };
}

function tenths(ms: number): string {
  return String(Math.max(1, Math.ceil(ms / 100)));
}
