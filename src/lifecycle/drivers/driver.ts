/**
 * One way to run services, as its folder provides it to the rest of the program.
 *
 * To add one: a folder with a `Driver`, its line in table.ts, and its execution in service_spec.ts and
 * model/service.ts.
 *
 * @module
 */
import type { Command, Executor } from "../../executor/executor.ts";
import type { Execution } from "../../model/service.ts";
import type { Manifest } from "../../package/manifest/manifest.ts";
import type {
  Controller,
  ServiceSpec,
  ServiceStatus,
  SpecExecution,
  SpecOf,
} from "../service_spec.ts";

/** What runs a service, as a host records it: a managed process runs as a unit of ours where systemd is. */
export type RunManager = "process" | "systemd" | Exclude<Execution["type"], "managed_process">;

/** The type of the executions that a manager runs. */
export type ExecutionType<M extends RunManager> = M extends "process" | "systemd"
  ? "managed_process"
  : M;

/** Options of a controller. */
export interface ControllerOptions {
  /**
   * Whether a managed process runs as a systemd unit. Left out: yes where PID 1 is systemd and we are root there, found
   * out at the first call.
   */
  systemd?: boolean | undefined;
  /** Time for a start. @default {START_TIMEOUT_MS} */
  startTimeoutMs?: number | undefined;
  /** How long a started program must stay alive before its start counts as having worked. @default {START_SETTLE_MS} */
  settleMs?: number | undefined;
}

/** A release on its host, before it was ever run. */
export interface Release {
  /** Its manifest. */
  manifest: Manifest;
  /** Its directory. */
  dir: string;
  /** What is in its directory. */
  files: {
    /** Whether `scripts/stop.sh` is there. */
    stopScript: boolean;
    /** Whether `scripts/reload.sh` is there. */
    reloadScript: boolean;
    /** Whether `image.tar` is there. */
    imageTar: boolean;
  };
}

/** A status that also knows of restarts that a service manager makes by itself. */
export interface ObservedStatus extends ServiceStatus {
  /** Whether systemd or docker is about to start it again. */
  restarting: boolean;
  /** Restarts that systemd or docker made by itself, or `null` where nobody but us restarts. */
  restarts: number | null;
}

/** What a machine's watcher looks at; see supervisor/host_watch_loop.sh. */
export interface WatchPoint {
  /** A process that ends, a file whose first line is a pid (and that process), or a link that appears or goes. */
  kind: "pid" | "pid_file" | "link";
  /** The pid or the path. */
  value: string;
}

/** A part of the command that polls all services of a machine; see supervisor/host_status.ts. */
export interface StatusSource {
  /** Its name; also in the name of its function. */
  section: string;
  /** sh text with the function `h_status_<section>`, which reads a line of tab-separated index and fields per service. */
  script: string;
  /** Reads what the function printed. A text in place of a status is the reason why it is not known. */
  read(text: string, asked: ReadonlyMap<number, ServiceSpec>): Map<number, ObservedStatus | string>;
}

/** One way to run services. All but {@linkcode Driver.controller} is pure. */
export interface Driver<
  S extends SpecExecution["type"] = SpecExecution["type"],
  E extends Execution["type"] = Execution["type"],
> {
  /** Whether a service manager restarts the services by itself: then our restart policy must not. */
  readonly restartsItself: boolean;
  /** Whether the services have an environment of their own, apart from that of the machine. */
  readonly isolated: boolean;
  /** Name of a daemon that may not respond while its machine does: its services are polled apart. */
  readonly engine?: string;
  /** How the services are polled. */
  readonly status: StatusSource;
  /** The fields of a service's line for {@linkcode Driver.status}, or its status where there is nothing to ask for. */
  statusQuery(spec: SpecOf<S>): readonly string[] | ObservedStatus;
  /** What shows at once that a service without a known process has begun or ended; left out where nothing does. */
  watchPoint?(spec: SpecOf<S>): WatchPoint;

  /** Controls a service. */
  controller(executor: Executor, spec: SpecOf<S>, options: ControllerOptions): Controller;
  /** Starts a service without a controller: for the recovery of a host by itself. */
  startCommand(spec: SpecOf<S>): Command;
  /** Stops a service without a controller. */
  stopCommand(spec: SpecOf<S>): Command;
  /** Stops a service and removes what a stop leaves on its machine; left out where that is nothing. */
  removeCommand?(spec: SpecOf<S>): Command;

  /** How a person would start the service on its host; nothing of its environment is in it. */
  startHint(spec: SpecOf<S>): string;
  /** Where a person finds the log of the service on its host: a file, or the command that prints it. */
  logHint(spec: SpecOf<S>): string;

  /** How a release is run; left out where no manifest can ask for it. */
  fromManifest?(release: Release): SpecOf<S>["execution"];
  /** What the registry shows of a deployment before its host has reported. `dir` is the link to the active release. */
  plannedEntry?(manifest: Manifest, dir: string): Extract<Execution, { type: E }>;
  /** How a registered service without a package is run. */
  fromEntry(execution: Extract<Execution, { type: E }>, name: string): SpecOf<S>["execution"];
  /** What the registry shows of a service. */
  toEntry(
    execution: SpecOf<S>["execution"],
    status: ServiceStatus,
  ): Extract<Execution, { type: E }>;
  /** The execution with what its first start fixed. */
  afterStart?(execution: SpecOf<S>["execution"], status: ServiceStatus): SpecOf<S>["execution"];
}
