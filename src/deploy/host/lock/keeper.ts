/**
 * Renews the lock of a host during its deployment.
 *
 * @module
 */
import { HarnessError } from "../../../errors.ts";
import type { Executor } from "../../../executor/executor.ts";
import { DEPLOY_LOCK_RENEWALS } from "../../limits.ts";
import { untilAborted } from "../../../util/async.ts";
import type { HostPlace } from "../command.ts";
import { renewCommand } from "./commands.ts";

/**
 * Renews a lock until it is stopped. `lost` aborts when another one has the lock, or when no renewal got through for as
 * long as the lock lives: then the current step waits for a host that hangs.
 */
export class LockKeeper {
  readonly #lost = new AbortController();
  readonly #hangs = new AbortController();
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #stopped = new AbortController();
  #renewing: Promise<void> | null = null;
  #lastAnswer = performance.now();

  /** Starts to renew the lock at `place`. */
  constructor(executor: Executor, place: HostPlace, options: { ttlMs: number; label: string }) {
    const every = options.ttlMs / DEPLOY_LOCK_RENEWALS;
    this.#timer = setInterval(() => {
      this.#renewing ??= this.#renew(executor, place, options)
        .finally(() => this.#renewing = null);
    }, every);
  }

  /** Aborts, with the reason, when the lock is lost. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Aborts, with the reason, when the host has not responded for as long as the lock lives. */
  get hangs(): AbortSignal {
    return this.#hangs.signal;
  }

  /** Stops renewing. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopped.abort();
    await this.#renewing;
  }

  async #renew(
    executor: Executor,
    place: HostPlace,
    options: { ttlMs: number; label: string },
  ): Promise<void> {
    try {
      const signal = AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(options.ttlMs)]);
      // Not awaited after that: on a host that hangs, cancelling a command hangs too.
      const result = await untilAborted(executor.run(renewCommand(place), { signal }), signal);
      this.#lastAnswer = performance.now();
      if (!result.stdout.includes("@refused lost")) return;
    } catch {
      // Judged after an attempt, never by the clock alone: this process may have been suspended.
      const silent = performance.now() - this.#lastAnswer;
      if (!this.#stopped.signal.aborted && silent >= options.ttlMs) {
        this.#hangs.abort(silentError(options.label, silent));
        this.#lost.abort(this.#hangs.signal.reason);
      }
      // A failed renewal is retried; the host judges by its own clock, and a broken connection shows in the
      // current step.
      return;
    }
    this.#lost.abort(
      new HarnessError(
        "conflict",
        `Cannot continue on ${options.label}: its lock expired and the host has restored itself; deploy again`,
        { details: { reason: "lost" } },
      ),
    );
  }
}

function silentError(label: string, silentMs: number): HarnessError {
  return new HarnessError(
    "unreachable",
    `Cannot continue on ${label}: no response for ${Math.round(silentMs / 1000)} s; ` +
      "check its load, its disk and the network",
    { details: { host: label, reason: "hangs" } },
  );
}
