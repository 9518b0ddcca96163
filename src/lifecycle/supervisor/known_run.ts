/**
 * What is known of the present run of a service.
 *
 * @module
 */
import type { ObservedStatus } from "../drivers/driver.ts";
import type { ServiceStatus } from "../service_spec.ts";
import { runKey } from "./supervised_service.ts";

/** The run of a service as it was last seen, or as it was recorded. */
export class KnownRun {
  readonly #onRunning: (running: boolean, fresh: boolean) => void;
  #running = false;
  #startedAt = 0;
  /** As last seen; `null` while only recorded. */
  #seen: ServiceStatus | null = null;
  #restarting = false;

  /** A run that has not begun; `onRunning` is told when one begins or ends. */
  constructor(onRunning: (running: boolean, fresh: boolean) => void) {
    this.#onRunning = onRunning;
  }

  /** Whether it runs. */
  get running(): boolean {
    return this.#running;
  }

  /** Its main process, where it runs and that is known. */
  get pid(): number | null {
    return this.#running ? this.#seen?.pid ?? null : null;
  }

  /** Whether its service manager is about to start it again. */
  get restarting(): boolean {
    return this.#restarting;
  }

  /** How long it runs, or ran up to its end just now. */
  get upMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** Takes over a recorded run that was up for so long. */
  assume(running: boolean, upMs: number): void {
    this.#running = running;
    if (!running) return;
    this.recorded(upMs);
    this.#onRunning(true, false);
  }

  /** Takes over since when a recorded run, whatever became of it, was up. */
  recorded(upMs: number): void {
    this.#startedAt = performance.now() - upMs;
  }

  /** Takes in a polled status; whether it is of this run, or of none as before. */
  isAsSeen(status: ObservedStatus): boolean {
    // Taken over from records without a poll: what runs now is the recorded run.
    if (status.running && this.#running) this.#seen ??= status;
    this.#restarting = status.restarting;
    if (status.running !== this.#running) return false;
    return !status.running || (this.#seen !== null && runKey(status) === runKey(this.#seen));
  }

  /** It runs, since `upMs`. */
  began(status: ServiceStatus, fresh: boolean, upMs = 0): void {
    this.#running = true;
    this.#seen = status;
    this.recorded(upMs);
    this.#onRunning(true, fresh);
  }

  /** It has ended. */
  ended(): void {
    this.#running = false;
    this.#onRunning(false, false);
  }
}
