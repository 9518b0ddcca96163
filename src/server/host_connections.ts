/**
 * One connection per host, shared by everything that controls or watches services there.
 *
 * @module
 */
import { sudoExecutor } from "../deploy/become.ts";
import type { HostTarget } from "../deploy/plan.ts";
import { HarnessError } from "../errors.ts";

/** A machine on which commands can be run. */
export type HostExecutor = Awaited<ReturnType<HostTarget["connect"]>>;

/** Opens connections once and keeps them until they break. */
export class HostConnections implements AsyncDisposable {
  readonly #open = new Map<string, Promise<HostExecutor>>();

  /** The connection to a host; a broken one is replaced. */
  async open(host: HostTarget, signal: AbortSignal): Promise<HostExecutor> {
    let opening = this.#open.get(host.label);
    if (opening === undefined) {
      // Not the caller's signal: others may wait for the same connection. The connector has its own deadline.
      opening = this.#connect(host);
      this.#open.set(host.label, opening);
      opening.catch(() => this.#open.delete(host.label));
    }
    return await abortable(opening, signal);
  }

  /** A connection for one use alone: the caller disposes it. */
  async dedicated(host: HostTarget, signal: AbortSignal): Promise<HostExecutor> {
    return asRoot(host, await host.connect(signal));
  }

  /** Forgets the connection of a host; the next use makes a new one. */
  async drop(label: string): Promise<void> {
    const opening = this.#open.get(label);
    this.#open.delete(label);
    const executor = await opening?.catch(() => undefined);
    await executor?.[Symbol.asyncDispose]();
  }

  /** Closes all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#open.keys()].map((label) => this.drop(label)));
  }

  async #connect(host: HostTarget): Promise<HostExecutor> {
    const executor = await host.connect(new AbortController().signal);
    return this.#guard(host.label, asRoot(host, executor));
  }

  /** The executor, forgotten as soon as a command finds the connection broken. */
  #guard(label: string, executor: HostExecutor): HostExecutor {
    return {
      host: executor.host,
      run: async (command, options) => {
        try {
          return await executor.run(command, options);
        } catch (error) {
          if (error instanceof HarnessError && error.code === "unreachable") void this.drop(label);
          throw error;
        }
      },
      [Symbol.asyncDispose]: () => executor[Symbol.asyncDispose](),
    };
  }
}

function asRoot(host: HostTarget, executor: HostExecutor): HostExecutor {
  return host.become === "sudo" ? sudoExecutor(executor) : executor;
}

async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
