/**
 * Keeps a host's lock alive while its deployment is under way.
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
 * Renews a lock until it is stopped; `lost` aborts when somebody else has it, or when nothing got through to the host
 * for as long as the lock lives: whatever step is under way then waits for a host that hangs.
 */
export class LockKeeper {
  readonly #lost = new AbortController();
  readonly #hangs = new AbortController();
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #stopped = new AbortController();
  #renewing: Promise<void> | null = null;
  #lastAnswer = performance.now();

  /** Begins to renew the lock at `place`. */
  constructor(executor: Executor, place: HostPlace, options: { ttlMs: number; label: string }) {
    const every = options.ttlMs / DEPLOY_LOCK_RENEWALS;
    this.#timer = setInterval(() => {
      this.#renewing ??= this.#renew(executor, place, options)
        .finally(() => this.#renewing = null);
    }, every);
  }

  /** Aborts, with the reason, when the lock is no longer ours. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Aborts, with the reason, when the host has not answered for as long as the lock lives. */
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
      // Not waited for beyond that: on a host that hangs, ending a command hangs, too.
      const result = await untilAborted(executor.run(renewCommand(place), { signal }), signal);
      this.#lastAnswer = performance.now();
      if (!result.stdout.includes("@refused lost")) return;
    } catch {
      // Judged after an attempt and never by the clock alone: it may be we who were suspended.
      const silent = performance.now() - this.#lastAnswer;
      if (!this.#stopped.signal.aborted && silent >= options.ttlMs) {
        this.#hangs.abort(silentError(options.label, silent));
        this.#lost.abort(this.#hangs.signal.reason);
      }
      // A renewal that did not get through is tried again; the host judges by its own clock, and a
      // broken connection shows in the step that is under way.
      return;
    }
    this.#lost.abort(
      new HarnessError(
        "conflict",
        `Cannot go on with ${options.label}: its lock ran out and the host has put itself back; deploy again`,
        { details: { reason: "lost" } },
      ),
    );
  }
}

function silentError(label: string, silentMs: number): HarnessError {
  return new HarnessError(
    "unreachable",
    `Cannot go on with ${label}: it has not answered for ${Math.round(silentMs / 1000)} s; ` +
      "look at its load, its disk and the network",
    { details: { host: label, reason: "hangs" } },
  );
}
