/**
 * The parsed manifest of a package, with defaults applied and durations in milliseconds.
 *
 * docs/package-format.md has the YAML form.
 *
 * @module
 */

/** A port that the service listens on. */
export interface ManifestPort {
  /** Name, unique within the package, such as `http`. */
  name: string;
  /** Port number. */
  port: number;
  /** Protocol spoken there. */
  protocol: string;
}

/** One environment variable of the manifest. */
export interface ManifestEnv {
  /** Default value, or `null` when there is none. */
  value: string | null;
  /** Whether a deployment without a value is refused. */
  required: boolean;
  /** Whether the value is secret and never shown. */
  secret: boolean;
}

/** The probe of a health check. */
export type HealthProbe =
  | { type: "script"; /** Path inside the package. */ script: string }
  | {
    type: "http";
    /** Port name of the manifest or a number. */
    port: string | number;
    /** Request path. */
    path: string;
    /** Accepted status codes; empty = 200 to 399. */
    status: number[];
    /** Text that the body must contain, or `null`. */
    body: string | null;
  }
  | { type: "tcp"; /** Port name of the manifest or a number. */ port: string | number };

/** Health check and its timing. */
export interface HealthSpec {
  /** The probe. */
  probe: HealthProbe;
  /** Time between checks, in milliseconds. @default {30_000} */
  intervalMs: number;
  /** Time after which a check is killed and counts as failed. @default {5_000} */
  timeoutMs: number;
  /** Failures in a row that make it unhealthy. @default {3} */
  retries: number;
  /** Successes in a row that make it healthy again. @default {1} */
  successes: number;
  /** Time after the start in which failures do not count. @default {10_000} */
  startPeriodMs: number;
}

/** When a service that ended is restarted. */
export const RESTART_POLICIES = ["no", "on-failure", "always"] as const;

/** One of {@linkcode RESTART_POLICIES}. */
export type RestartPolicyName = (typeof RESTART_POLICIES)[number];

/** When and how a service is restarted. */
export interface RestartSpec {
  /** When. @default {"on-failure"} */
  policy: RestartPolicyName;
  /** Consecutive starts before giving up. @default {5} */
  maxRetries: number;
  /** First backoff, doubled each time, in milliseconds. @default {1_000} */
  backoffMs: number;
}

/** How a service is stopped. */
export interface StopSpec {
  /** Signal name without `SIG`. @default {"TERM"} */
  signal: string;
  /** Time after which the process group is killed, in milliseconds. @default {10_000} */
  timeoutMs: number;
}

/**
 * The settings of `service.hardening` and their defaults: those are on that do not break an ordinary service. Names are
 * those of systemd, in snake case.
 */
export const HARDENING_DEFAULTS = {
  no_new_privileges: true,
  private_tmp: true,
  protect_system: true,
  protect_kernel_tunables: true,
  protect_kernel_modules: true,
  protect_kernel_logs: true,
  protect_control_groups: true,
  protect_hostname: true,
  restrict_suid_sgid: true,
  restrict_realtime: true,
  lock_personality: true,
  system_call_architectures: true,
  system_call_filter: true,
  protect_clock: false,
  protect_home: false,
  protect_proc: false,
  private_devices: false,
  restrict_namespaces: false,
  memory_deny_write_execute: false,
} as const;

/** Name of a setting of `service.hardening`. */
export type HardeningName = keyof typeof HARDENING_DEFAULTS;

/** Hardening in the manifest: `false` for none, else the settings that differ from the defaults. */
export type HardeningSpec = false | Partial<Record<HardeningName, boolean>>;

/** The runtimes of packages. */
export const PACKAGED_TYPES = ["managed_process", "systemd_service", "docker_container"] as const;

/** One of {@linkcode PACKAGED_TYPES}. */
export type PackagedType = (typeof PACKAGED_TYPES)[number];

/** Whether the program that starts a service stays, or returns while the service runs on. */
export const START_MODES = ["foreground", "daemon"] as const;

/** One of {@linkcode START_MODES}. */
export type StartMode = (typeof START_MODES)[number];

/** A package's manifest. */
export interface Manifest {
  /** Package and service name. */
  name: string;
  /** SemVer. */
  version: string;
  /** One line, or empty. */
  description: string;
  /** How it runs. */
  service: {
    /** Runtime that runs it. */
    type: PackagedType;
    /** Whether `scripts/start.sh` stays (foreground) or returns (daemon). @default {"foreground"} */
    start: StartMode;
    /** User it runs as, or `null` for the deploying user. */
    user: string | null;
    /** Whether variables of the dynamic linker and of shells (`LD_PRELOAD`, `BASH_ENV`) may be set. @default {false} */
    allowLoaderEnv?: boolean;
    /** Ports it listens on. */
    ports: ManifestPort[];
    /** `docker_container`: image reference, or `null` when `image.tar` names it. */
    image: string | null;
    /** `systemd_service`: unit name, or `null` for `<name>.service`. */
    unit: string | null;
    /** `managed_process`: how the generated unit is confined. @default {{}} */
    hardening: HardeningSpec;
  };
  /** Environment, by name. */
  env: Record<string, ManifestEnv>;
  /** Names of the services it needs. */
  dependsOn: string[];
  /** What the host must have. */
  requires: {
    /** Absolute paths or names on PATH. */
    commands: string[];
    /** Shared library names as `ldconfig -p` prints them. */
    libraries: string[];
    /** Values of `uname -m`; empty = any. */
    arch: string[];
  };
  /** Health check, or `null`. */
  health: HealthSpec | null;
  /** Restart policy. */
  restart: RestartSpec;
  /** How to stop. */
  stop: StopSpec;
}
