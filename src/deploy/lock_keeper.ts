/**
 * Keeps a host's lock alive while its deployment is under way.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import type { Executor } from "../executor/executor.ts";
import { DEPLOY_LOCK_RENEWALS } from "../limits.ts";
import { type HostPlace, renewCommand } from "./lock_commands.ts";

/** Renews a lock until it is stopped; `lost` aborts when somebody else has it. */
export class LockKeeper {
  readonly #lost = new AbortController();
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #stopped = new AbortController();
  #renewing: Promise<void> | null = null;

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
      const result = await executor.run(renewCommand(place), {
        timeoutMs: options.ttlMs,
        signal: this.#stopped.signal,
      });
      if (!result.stdout.includes("@refused lost")) return;
    } catch {
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
