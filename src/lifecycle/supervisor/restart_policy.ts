/**
 * When a service that ended is started again: policy, back-off, giving up. Pure but for what is passed in.
 *
 * @module
 */
import {
  MAX_RESTART_HISTORY,
  RESTART_BACKOFF_CAP_MS,
  RESTART_JITTER,
  RESTART_STABLE_MS,
} from "../limits.ts";
import type { RestartSpec } from "../../package/manifest/manifest.ts";
import { describeEnd, type ExitStatus } from "../exit_status.ts";

/** One end of a service. */
export interface EndRecord {
  /** When, RFC 3339 UTC. */
  at: string;
  /** How: "exited with code 1". */
  reason: string;
}

/** State of a restart policy that must survive a restart of the supervisor. */
export interface RestartState {
  /** Restarts in a row, with the one that is planned. */
  attempts: number;
  /** How the service ended, each time. */
  history: EndRecord[];
  /** Whether the last end is to be followed by a restart. */
  planned: boolean;
}

/** What to do after an end. */
export type RestartDecision =
  | { /** Start again after a pause. */ action: "restart"; attempt: number; delayMs: number }
  | { /** The policy forbids it. */ action: "leave" }
  | { /** Too many in a row. */ action: "give_up"; attempts: number; history: EndRecord[] };

/** Options for {@linkcode RestartCounter}. */
export interface RestartCounterOptions {
  /** How long it must run for earlier ends to be forgotten. @default {RESTART_STABLE_MS} */
  stableMs?: number | undefined;
  /** A number from 0 to 1. @default {Math.random} */
  random?: (() => number) | undefined;
}

/** Whether it ended as if asked to: exit 0, or a signal that asks for an end. */
export function isCleanEnd(end: ExitStatus): boolean {
  return end.exitCode === 0 || end.exitCode === 130 || end.exitCode === 143 ||
    (end.signal !== null && ["SIGTERM", "SIGINT", "SIGHUP", "SIGPIPE"].includes(end.signal));
}

/** Counts the ends of one service and decides what follows. */
export class RestartCounter {
  readonly #spec: RestartSpec;
  readonly #stableMs: number;
  readonly #random: () => number;
  #attempts = 0;
  #history: EndRecord[] = [];

  /** A counter for one service. */
  constructor(spec: RestartSpec, options: RestartCounterOptions = {}) {
    this.#spec = spec;
    this.#stableMs = options.stableMs ?? RESTART_STABLE_MS;
    this.#random = options.random ?? Math.random;
  }

  /** Restarts made in a row so far. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Forgets everything: somebody started or stopped the service on purpose. */
  reset(): void {
    this.#attempts = 0;
    this.#history = [];
  }

  /** Continues from the state of an earlier counter of the service. */
  restore({ attempts, history }: RestartState): void {
    this.#attempts = attempts;
    this.#history = [...history];
  }

  /** What {@linkcode restore} needs. */
  state(options: { planned: boolean }): RestartState {
    return { attempts: this.#attempts, history: [...this.#history], ...options };
  }

  /** Notes an end after `upMs` of running and decides. */
  ended(end: ExitStatus, upMs: number, reason: string = describeEnd(end)): RestartDecision {
    if (upMs >= this.#stableMs) this.reset();
    this.#history.push({ at: new Date().toISOString(), reason });
    if (this.#history.length > MAX_RESTART_HISTORY) this.#history.shift();
    const { policy, maxRetries } = this.#spec;
    if (policy === "no" || (policy === "on-failure" && isCleanEnd(end))) return { action: "leave" };
    if (this.#attempts >= maxRetries) {
      return { action: "give_up", attempts: this.#attempts, history: [...this.#history] };
    }
    this.#attempts++;
    return { action: "restart", ...this.planned() };
  }

  /** The restart that was decided on last, with the whole pause before it. */
  planned(): { attempt: number; delayMs: number } {
    const attempt = Math.max(1, this.#attempts);
    const base = Math.min(this.#spec.backoffMs * 2 ** (attempt - 1), RESTART_BACKOFF_CAP_MS);
    // Jitter only adds: a pause is never shorter than what the manifest asks for.
    return { attempt, delayMs: Math.round(base * (1 + RESTART_JITTER * this.#random())) };
  }
}
