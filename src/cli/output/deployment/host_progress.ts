/**
 * What is known of each host of a running deployment, from its progress events.
 *
 * @module
 */
import { DEPLOY_STEPS, type DeployStep, type HostOutcome } from "../../../model/deployment.ts";
import type { Progress } from "./progress.ts";

/** Over how much time the speed of an upload is measured. */
const SPEED_WINDOW_MS = 3000;

/** How much of a host's deployment a step usually is; 1 where it is not named. */
const WEIGHTS: Partial<Record<DeployStep, number>> = {
  upload: 5,
  start: 2,
  health: 4,
  rollback: 0,
  finish: 0,
};

/** One host, as it is shown. */
export class HostProgress {
  /** Its label. */
  readonly host: string;
  /** The step it is at; `null` before the first. */
  step: DeployStep | null = null;
  /** How it ended, or `null`. */
  outcome: HostOutcome | null = null;
  /** Why it failed, or what its step reports. */
  note = "";
  /** Bytes moved by this step, and all that it has to move, where that is known. */
  bytes: { moved: number; total: number | null } | null = null;
  /** When it began and ended: milliseconds of any clock. */
  beganAt: number | null = null;
  /** When it ended. */
  endedAt: number | null = null;
  #percent = 0;
  #failed: { step: DeployStep; why: string } | null = null;
  #samples: Array<{ at: number; moved: number }> = [];

  /** A host that has not begun. */
  constructor(host: string) {
    this.host = host;
  }

  /** Takes an event of this host. */
  take(progress: Progress, now: number): void {
    if (progress.step !== this.step) {
      this.step = progress.step;
      this.bytes = null;
      this.note = "";
      this.#percent = 0;
      this.#samples = [];
    }
    if (progress.step === "finish") return this.#end(progress, now);
    this.beganAt ??= now;
    this.#percent = progress.status === "done" ? 100 : progress.percent ?? this.#percent;
    if (progress.message !== undefined) this.note = progress.message;
    if (progress.status === "failed" && progress.error?.code !== "cancelled") {
      this.note = progress.error?.message ?? this.note;
      // A failed rollback is not why: what it was rolled back for is.
      this.#failed ??= { step: progress.step, why: this.note };
    }
    if (progress.bytes !== undefined) this.#move(progress.bytes, progress.total_bytes, now);
  }

  /** Share of its deployment that is done, 0 to 1. */
  get share(): number {
    if (this.outcome === "ok") return 1;
    const at = this.#failed?.step ?? this.step;
    if (at === null) return 0;
    const index = DEPLOY_STEPS.indexOf(at);
    const weight = (step: DeployStep) => WEIGHTS[step] ?? 1;
    const sum = (steps: readonly DeployStep[]) =>
      steps.reduce((total, step) => total + weight(step), 0);
    const part = at === this.step ? weight(at) * this.#percent / 100 : 0;
    return (sum(DEPLOY_STEPS.slice(0, index)) + part) / sum(DEPLOY_STEPS);
  }

  /** The step that failed, if one did. */
  get failedStep(): DeployStep | null {
    return this.#failed?.step ?? null;
  }

  /** Bytes per second of the last seconds; `null` where that is not known. */
  get speed(): number | null {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.at <= first.at) return null;
    return (last.moved - first.moved) * 1000 / (last.at - first.at);
  }

  /** Milliseconds since it began; `null` before that. */
  elapsedMs(now: number): number | null {
    return this.beganAt === null ? null : (this.endedAt ?? now) - this.beganAt;
  }

  #move(moved: number, total: number | undefined, now: number): void {
    this.bytes = { moved, total: total ?? this.bytes?.total ?? null };
    const samples = [...this.#samples, { at: now, moved }];
    // The last one before the window stays: the window begins with it.
    const before = samples.filter(({ at }) => at < now - SPEED_WINDOW_MS).length;
    this.#samples = samples.slice(Math.max(0, before - 1));
  }

  #end(progress: Progress, now: number): void {
    this.endedAt = now;
    this.outcome = progress.outcome ?? null;
    this.note = this.#failed?.why ?? progress.error?.message ?? progress.message ?? "";
  }
}
