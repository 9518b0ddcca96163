/**
 * One host of a deployment while it is under way: what is known of it, and how commands are run there.
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

/** What a step reports besides its name and status. */
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

/** How far the host has been changed: decides what a failure has to undo. */
export type Phase = "untouched" | "locked" | "switched" | "committed";

/** One host of a deployment under way. The steps fill it in, in their order. */
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
  /** Reports news of the step under way. */
  readonly news: (news: StepProgress) => void;
  /** Labels by place of the deployment's hosts that have answered. */
  readonly places: Map<string, string>;
  /** Cancels what is under way: the caller's signal, or the loss of the lock. */
  signal: AbortSignal;
  /** Runs commands there, as the user that owns the install root. */
  executor: Executor | null = null;
  /** What the host said of itself. */
  facts: HostFacts | null = null;
  /** The record of releases, as it is on the host. */
  state: HostState;
  /** The release that this deployment brings. */
  release: ReleaseRecord | null = null;
  /** The release that was active before. */
  previous: ReleaseRecord | null = null;
  /** Whether the release's files must be brought: not so when they are there, and good. */
  needsFiles = false;
  /** Whether the release that was active before ran. */
  previousRan = false;
  /** How far the host has been changed. */
  phase: Phase = "untouched";
  /** The step under way. */
  step: DeployStep = "connect";
  /** What runs now. */
  status: ServiceStatus | null = null;
  /** The run that this deployment started, where it has an id. */
  started: string | null = null;
  /** What the release's own health check said when it passed; `null` before that, and where it has none. */
  health: HealthCheckResult | null = null;
  /** Ends the deadline for connecting, locking and looking. */
  clearDeadline: () => void = () => {};
  /** Takes the secrets that are known out of what is reported. */
  redact: Redact;

  /** A host at the beginning of its deployment. */
  constructor(
    plan: DeployPlan,
    target: HostTarget,
    options: {
      signal: AbortSignal;
      news: (news: StepProgress) => void;
      places?: Map<string, string>;
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
    return {
      ...(dependencyEnv === undefined ? {} : { dependencies: dependencyEnv }),
      ...(env === undefined ? {} : { plan: env }),
      ...(this.target.env === undefined ? {} : { host: this.target.env }),
      ...(secrets === undefined ? {} : { secrets }),
    };
  }

  /** What this deployment wants to know of the host. */
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

  /** What the host said of itself, once asked. */
  get known(): HostFacts {
    if (this.facts === null) throw new Error(`${this.target.label} was not asked yet`);
    return this.facts;
  }

  /** The release, once chosen. */
  get chosen(): ReleaseRecord {
    if (this.release === null) throw new Error(`no release is chosen for ${this.target.label}`);
    return this.release;
  }

  /** What the registry calls the service here, or `null` where nobody can ask it: it is not registered, or not for long. */
  get instance(): string | null {
    if (this.previous === null) return null;
    return this.plan.instances?.get(this.target.label) ?? null;
  }

  /** How to see the log of the service, or `null` before it is known. */
  get logHint(): string | null {
    if (this.instance !== null) return `harness-ws-server service logs ${this.instance}`;
    const release = this.release?.spec ? this.release : this.previous;
    if (release === null || release.spec === null || this.facts === null) return null;
    const { spec } = release;
    const log = driverFor(spec.execution, this.isUnit(release)).logHint(spec);
    return `${log} on ${this.target.label}`;
  }

  /** The controller of a release of this service: of what runs it by its record. */
  controller(release: ReleaseRecord): Controller {
    const spec = specOf(release);
    return createController(this.machine, spec, { systemd: this.isUnit(release) });
  }

  /** Whether a release is, or was, run as a unit that we wrote: where no systemd runs by now, none can be running. */
  isUnit(release: ReleaseRecord): boolean {
    return this.known.systemd && managerOf(release, true) === "systemd";
  }

  /** How a release is run that is configured now. */
  runOf(spec: ServiceSpec): ReleaseRun {
    const { systemd, uid, login } = this.known;
    return { manager: managerFor(spec.execution.type, systemd), uid, user: login };
  }

  /**
   * Runs a command of commands.ts. A refusal or any exit code but 0 rejects, with the step, the exit code and the
   * end of its output in the details.
   */
  async run(command: Command, options: RunOptions = {}): Promise<RunResult> {
    const result = await this.machine.run(command, {
      timeoutMs: DEPLOY_COMMAND_TIMEOUT_MS,
      signal: this.signal,
      ...options,
    });
    return this.check(result);
  }

  /** Runs a command that takes `text` on stdin; it is told the length, so that it never uses half a text. */
  async send(
    text: string,
    command: (bytes: number) => Command,
    options: RunOptions = {},
  ): Promise<RunResult> {
    const stdin = new TextEncoder().encode(text);
    return await this.run(command(stdin.length), { ...options, stdin });
  }

  /** Passes a command's result on, or rejects as {@linkcode HostContext.run} does. */
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
  archive: "build the package anew with `harness-ws-server package build`",
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
