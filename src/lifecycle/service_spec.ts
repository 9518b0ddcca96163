/**
 * Everything a controller needs to run one service on one machine.
 *
 * Built by deploy from a manifest and the release layout, or by the server from a registry entry that
 * was registered with a plain command. All paths are absolute paths on that machine.
 *
 * @module
 */
import type {
  HardeningSpec,
  HealthSpec,
  ManifestPort,
  RestartSpec,
  StartMode,
  StopSpec,
} from "../package/manifest/manifest.ts";

/** How the service is executed. */
export type SpecExecution =
  | {
    type: "managed_process";
    /** Program and arguments. */
    argv: readonly [string, ...string[]];
    /** Whether `argv` stays (foreground) or returns while the service runs on (daemon). */
    start: StartMode;
    /** Program that stops it, or `null` for the signal alone. */
    stopArgv: readonly [string, ...string[]] | null;
    /** Program that makes it reload, or `null` for SIGHUP. */
    reloadArgv: readonly [string, ...string[]] | null;
    /** User to run as, or `null` for the user we are. */
    user: string | null;
    /**
     * How a generated unit confines it. Left out, it is not confined: a command that was registered without a
     * package, or a release that an earlier version recorded.
     */
    hardening?: HardeningSpec;
  }
  | {
    type: "docker_container";
    /** Image reference, already on the machine or in `imageTar`. */
    image: string;
    /** Id of the image that was first started for this release: whatever its name means later, this one is run. */
    imageId?: string | null;
    /** Image file to load first, or `null`. */
    imageTar: string | null;
    /** Container name. */
    container: string;
  }
  | {
    type: "systemd_service";
    /** Unit name. */
    unit: string;
    /** As for `systemd_portable`. */
    claim?: boolean;
  }
  | {
    type: "systemd_portable";
    /** Image name or path for `portablectl attach`. */
    image: string;
    /** Unit name. */
    unit: string;
    /**
     * Whether the unit is taken and stopped only by this service's own record of having started it. So for a release;
     * left out for what a client registered, who names a unit of the machine to be controlled as it is, and for a
     * release that an earlier version recorded.
     */
    claim?: boolean;
  };

/** A spec with an execution of one type. */
export type SpecOf<T extends SpecExecution["type"]> = ServiceSpec & {
  execution: Extract<SpecExecution, { type: T }>;
};

/** One service on one machine. */
export interface ServiceSpec {
  /** Service name: names the unit, the pid file and the log. */
  name: string;
  /** Version, for the unit's description. */
  version: string;
  /** How it is executed. */
  execution: SpecExecution;
  /** Working directory. */
  workDir: string;
  /** Env file of `KEY='value'` lines, mode 0600, or `null`. */
  envFile: string | null;
  /** Directory for the pid file and other bookkeeping; created when missing. */
  runDir: string;
  /** Directory for log files; created when missing. */
  logDir: string;
  /** Ports by name, for probes and published container ports. */
  ports: ManifestPort[];
  /** Health check, or `null`. Script probes are absolute here. */
  health: HealthSpec | null;
  /** Restart policy. */
  restart: RestartSpec;
  /** How to stop. */
  stop: StopSpec;
}

/**
 * Which run of which release something belongs to: what it carries itself (a process in its environment, a unit in its
 * text, a container in its labels), never what its name suggests.
 */
export interface RunIdentity {
  /** The id that the start gave to everything it started (`HARNESS_RUN`), or `null` where it carries none. */
  runId: string | null;
  /** Directory of the release it was started from, or `null` where it carries none. */
  releaseDir: string | null;
}

/** What uses a name that a service would take, regardless of owner and state. */
export interface Occupant {
  /** What it is. */
  kind: "process" | "unit" | "container";
  /** Unit or container name, or the pid of a process. */
  name: string;
  /** Whether it carries our marks; `false` is somebody else's, or ours changed by hand. */
  ours: boolean;
  /** The run it belongs to, where known. */
  identity: RunIdentity | null;
  /** Whether it runs now. */
  running: boolean;
  /** Whether a start would put its own in place of it though it is not ours: nobody runs it, nor would after a reboot. */
  givesWay?: boolean;
  /** For people: state and origin, such as "active, enabled, /etc/systemd/system/harness-web.service". */
  detail: string;
}

/** State of a service as its controller reports it. */
export interface ServiceStatus {
  /** Whether it runs now. */
  running: boolean;
  /** Main process id, where there is one. */
  pid: number | null;
  /** Container id, where there is one. */
  containerId: string | null;
  /** Exit code of its last end, where known. */
  exitCode: number | null;
  /** Signal that ended it, such as `SIGKILL`, where known. */
  signal: string | null;
  /** One line for people, from the service manager. */
  detail: string;
  /** Whether it ended because somebody stopped it on purpose, where that is known. */
  asked?: boolean;
  /** The run it belongs to, where that was checked. */
  identity?: RunIdentity | null;
  /** Id of the image of its container, where there is one. */
  imageId?: string | null;
  /** Restarts that systemd or docker made by itself since it was started, where one of them does that. */
  restarts?: number | null;
}

/** The directory of the release that `spec` runs, or `null` for a command that was registered without a package. */
export function releaseDirOf(spec: ServiceSpec): string | null {
  return spec.workDir === "/" ? null : spec.workDir;
}

/** Options of every controller call. */
export interface ControlOptions {
  /** Gives up; what was begun on the machine is left as it is. */
  signal?: AbortSignal;
}

/** Options of {@linkcode Controller.logs}. */
export interface LogOptions extends ControlOptions {
  /**
   * Only what was written since it was last started, as nearly as that is known: why this run failed, and nothing of
   * one that had other secrets. @default {false}
   */
  lastRun?: boolean;
  /** Only what was written since then, milliseconds since 1970; a driver may begin some seconds earlier. */
  sinceMs?: number;
}

/**
 * Runs one service on one machine. Calls are made one at a time (the caller serialises per service).
 *
 * A start or stop that did not work rejects with `unavailable` and details
 * `{exit_code, signal, log: string[], reason}`; a deadline with `timeout`; no connection with `unreachable`.
 */
export interface Controller {
  /** Starts it unless it runs, and waits until the start is known to have worked. */
  start(options?: ControlOptions): Promise<ServiceStatus>;
  /** Stops it and everything it started; fine when it does not run. */
  stop(options?: ControlOptions): Promise<ServiceStatus>;
  /** Makes it read its configuration again without a restart. */
  reload(options?: ControlOptions): Promise<ServiceStatus>;
  /** Reads the state. Never changes anything. */
  status(options?: ControlOptions): Promise<ServiceStatus>;
  /**
   * What has the name that a start would take, ours or not, running or not; `null` when nothing is in its
   * way. Never changes anything.
   */
  occupant(options?: ControlOptions): Promise<Occupant | null>;
  /** The last `lines` lines of its log, oldest first. */
  logs(lines: number, options?: LogOptions): Promise<string[]>;
  /** Log lines as they are written, until `signal` fires or the iterator is closed. */
  follow(options?: ControlOptions): AsyncIterable<string>;
}
