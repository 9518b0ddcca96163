/**
 * State of a deployment on one host, and how its commands are run.
 *
 * @module
 */
import type { DeployStep } from "../../model/deployment.ts";
import { HarnessError } from "../../errors.ts";
import type { Command, Executor, RunOptions, RunResult } from "../../executor/executor.ts";
import { createController } from "../../lifecycle/controller.ts";
import type { HealthCheckResult } from "../../lifecycle/health/check.ts";
import { type Redact, redactor } from "../../util/redact.ts";
import type { Controller, ServiceSpec, ServiceStatus } from "../../lifecycle/service_spec.ts";
import { DEPLOY_COMMAND_TIMEOUT_MS, DEPLOY_OUTPUT_CHARACTERS } from "../limits.ts";
import { driverFor, managerFor } from "../../lifecycle/drivers/table.ts";
import type { EnvSources } from "../env.ts";
import type { HostFacts } from "./lock/facts.ts";
import {
  emptyState,
  type HostState,
  managerOf,
  type ReleaseRecord,
  type ReleaseRun,
  specOf,
} from "./state.ts";
import { type HostLayout, hostLayout, releaseLayout } from "./layout.ts";
import type { HostPlace } from "./command.ts";
import type { FactsQuery } from "./lock/commands.ts";
import type { DeployPlan, HostTarget } from "../plan.ts";
import { serviceNameOf } from "../plan.ts";
import type { DeployProgress } from "../progress.ts";

/** Progress of a step, besides its name and status. */
export type StepProgress = Pick<DeployProgress, "percent" | "bytes" | "total_bytes" | "message">;

/** The result of a step that did not fail. */
export interface StepResult {
  /** Whether there was nothing to do. */
  skipped?: boolean;
  /** One line for people. */
  message?: string;
  /** Bytes that were moved. */
  bytes?: number;
}

/** How far the host was changed: decides what a failure has to undo. */
export type Phase = "untouched" | "locked" | "switched" | "committed";

/** A release whose start has worked. */
export interface StartedRelease {
  /** Its record. */
  release: ReleaseRecord;
  /** What its start reported. */
  status: ServiceStatus;
  /** When that was, by `performance.now()`. */
  at: number;
}

/** A health check that was begun before the start of its program. */
export interface EarlyCheck {
  /** Fires once it has failed. */
  readonly failed: AbortSignal;
  /** Ends it. */
  end(): Promise<void>;
}

/** A deployment on one host. The steps fill it in, in their order. */
export class HostContext {
  /** The deployment. */
  readonly plan: DeployPlan;
  /** The host. */
  readonly target: HostTarget;
  /** Service name. */
  readonly service: string;
  /** Paths on the host. */
  readonly layout: HostLayout;
  /** Token of our lock there. */
  readonly place: HostPlace;
  /** Reports progress of the current step. */
  readonly news: (news: StepProgress) => void;
  /** Labels by place of the hosts that responded so far. */
  readonly places: Map<string, string>;
  /** Cancels the current step: the signal of the caller, or the loss of the lock. */
  signal: AbortSignal;
  /** Runs commands there, as the user that owns the install root. */
  executor: Executor | null = null;
  /** Facts of the host. */
  facts: HostFacts | null = null;
  /** The record of releases, as it is on the host. */
  state: HostState;
  /** The release that this deployment brings. */
  release: ReleaseRecord | null = null;
  /** The release that was active before. */
  previous: ReleaseRecord | null = null;
  /** Whether the files of the release must be installed: not if they are there and good. */
  needsFiles = false;
  /** Whether the release that was active before ran. */
  previousRan = false;
  /** How far the host was changed. */
  phase: Phase = "untouched";
  /** The current step. */
  step: DeployStep = "connect";
  /** Status of the running release. */
  status: ServiceStatus | null = null;
  /** What this deployment started; `null` before that. */
  started: StartedRelease | null = null;
  /** Its health script as it was tried before that; `null` where there is none. */
  early: EarlyCheck | null = null;
  /** Whether the command that committed has removed what its record does not need. */
  swept = false;
  /** Passed health check of the release; `null` before that, and if it has none. */
  health: HealthCheckResult | null = null;
  /** Ends the deadline of connect, lock and preflight. */
  clearDeadline: () => void = () => {};
  /** Removes known secrets from reports. */
  redact: Redact;

  /** The beginning of a deployment. */
  constructor(
    plan: DeployPlan,
    target: HostTarget,
    options: {
      signal: AbortSignal;
      news: (news: StepProgress) => void;
      places?: Map<string, string> | undefined;
    },
  ) {
    this.plan = plan;
    this.target = target;
    this.service = serviceNameOf(plan);
    this.layout = hostLayout(target.installRoot ?? "/opt", this.service);
    this.place = {
      layout: this.layout,
      token: `${plan.deploymentId}.${crypto.randomUUID().slice(0, 8)}`,
    };
    this.news = options.news;
    this.signal = options.signal;
    this.places = options.places ?? new Map();
    this.state = emptyState(this.service);
    this.redact = redactor(Object.values(plan.secrets ?? {}));
  }

  /** Environment from outside the manifest. */
  get env(): EnvSources {
    const { dependencyEnv, env, secrets } = this.plan;
    return { dependencies: dependencyEnv, plan: env, host: this.target.env, secrets };
  }

  /** The facts that this deployment needs. */
  get query(): FactsQuery {
    if (this.plan.kind === "rollback") {
      const none = { releaseDir: "", sha256: "", user: "", serviceType: "" };
      return { ...none, commands: [], libraries: [] };
    }
    const { manifest, sha256 } = this.plan.package;
    return {
      releaseDir: releaseLayout(this.layout, this.service, manifest.version).dir,
      sha256,
      user: manifest.service.user ?? "",
      commands: manifest.requires.commands,
      libraries: manifest.requires.libraries,
      serviceType: manifest.service.type,
    };
  }

  /** The executor, once connected. */
  get machine(): Executor {
    if (this.executor === null) throw new Error(`${this.target.label} is not connected yet`);
    return this.executor;
  }

  /** Facts of the host, once they are read. */
  get known(): HostFacts {
    if (this.facts === null) throw new Error(`the facts of ${this.target.label} are not known yet`);
    return this.facts;
  }

  /** The release, once chosen. */
  get chosen(): ReleaseRecord {
    if (this.release === null) throw new Error(`no release is chosen for ${this.target.label}`);
    return this.release;
  }

  /** Id of the service in the registry, or `null`: it is not registered, or not for long. */
  get instance(): string | null {
    if (this.previous === null) return null;
    return this.plan.instances?.get(this.target.label) ?? null;
  }

  /** Command that shows the log of the service, or `null` if not known yet. */
  get logHint(): string | null {
    if (this.instance !== null) return `harness-ws-server service logs ${this.instance}`;
    const release = this.release?.spec ? this.release : this.previous;
    if (release === null || release.spec === null || this.facts === null) return null;
    const { spec } = release;
    const log = driverFor(spec.execution, this.isUnit(release)).logHint(spec);
    return `${log} on ${this.target.label}`;
  }

  /** The controller of a release, for the runtime in its record. */
  controller(release: ReleaseRecord): Controller {
    const spec = specOf(release);
    return createController(this.machine, spec, {
      systemd: this.isUnit(release),
      // What follows says whether a program that has just been started is up: steps/stays_up.ts.
      ...(spec.health === null ? {} : { settleMs: 0 }),
    });
  }

  /** Whether a release runs as a unit that we wrote: without systemd none can be running. */
  isUnit(release: ReleaseRecord): boolean {
    return this.known.systemd && managerOf(release, true) === "systemd";
  }

  /** How a release that is configured now will be run. */
  runOf(spec: ServiceSpec): ReleaseRun {
    const { systemd, uid, login } = this.known;
    return { manager: managerFor(spec.execution.type, systemd), uid, user: login };
  }

  /**
   * Runs a command. A refusal or an exit code other than 0 rejects, with the reason, the exit code and the end of its
   * output in the details.
   */
  async run(command: Command, options: RunOptions = {}): Promise<RunResult> {
    return this.check(await this.attempt(command, options));
  }

  /** Runs a command whose result the caller judges. */
  async attempt(command: Command, options: RunOptions = {}): Promise<RunResult> {
    return await this.machine.run(command, {
      timeoutMs: DEPLOY_COMMAND_TIMEOUT_MS,
      signal: this.signal,
      ...options,
    });
  }

  /** Runs a command with `text` on stdin. It gets the length, to detect truncated input. */
  async send(
    text: string,
    command: (bytes: number) => Command,
    options: RunOptions = {},
  ): Promise<RunResult> {
    const stdin = new TextEncoder().encode(text);
    return await this.run(command(stdin.length), { ...options, stdin });
  }

  /** Returns the result, or rejects like {@linkcode HostContext.run}. */
  check(result: RunResult): RunResult {
    if (result.exitCode === 0) return result;
    throw commandError(this, result);
  }
}

const REFUSALS: Readonly<Record<string, HarnessError["code"]>> = {
  unwritable: "deploy_failed",
  archive: "package_invalid",
  sums: "package_invalid",
  extract: "package_invalid",
  digest: "deploy_failed",
  busy: "conflict",
  lost: "conflict",
  cut: "unreachable",
  recovery: "deploy_failed",
};

const HINTS: Readonly<Record<string, string>> = {
  unwritable: "become root by sudo, or use another user or another install root",
  archive: "rebuild the package with `harness-ws-server package build`",
  digest: "deploy again",
  lost: "deploy again",
};

function commandError(context: HostContext, result: RunResult): HarnessError {
  const { step, target } = context;
  const refusal = /^@refused (\S+) ?(.*)$/m.exec(result.stdout);
  const stderr = result.stderr.trim();
  const full = /No space left on device|Disk quota exceeded/.exec(`${stderr}\n${refusal?.[2]}`);
  const reason = full ? "disk_full" : refusal?.[1] ?? "command";
  const why = refusal?.[2] ?? stderr.split("\n").at(-1) ?? "";
  const how = result.signal === null ? `exit code ${result.exitCode}` : `ended by ${result.signal}`;
  const hint = full ? "free some space" : HINTS[reason];
  return new HarnessError(
    REFUSALS[reason] ?? "deploy_failed",
    `Cannot ${step} on ${target.label}: ${why === "" ? how : why}${
      hint === undefined ? "" : `; ${hint}`
    }`,
    {
      details: {
        reason,
        exit_code: result.exitCode,
        signal: result.signal,
        stderr: stderr.slice(-DEPLOY_OUTPUT_CHARACTERS),
      },
    },
  );
}
