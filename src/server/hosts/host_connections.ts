/**
 * Connection pool: one connection per way to reach a host, shared by everything that manages services there. Two
 * logins, or one with and one without sudo, never share one.
 *
 * @module
 */
import { sudoExecutor } from "../../deploy/host/become.ts";
import type { HostTarget } from "../../deploy/plan.ts";
import { HarnessError } from "../../errors.ts";
import type { Host } from "./host_directory.ts";
import { untilAborted } from "../../util/async.ts";

/** Runs commands on a host. */
export type HostExecutor = Awaited<ReturnType<HostTarget["connect"]>>;

/** Opens connections once and keeps them until they break. */
export class HostConnections implements AsyncDisposable {
  readonly #open = new Map<string, Promise<HostExecutor>>();
  readonly #closing = new AbortController();

  /** The shared connection to a host; a broken one is replaced. */
  async open(host: Host, signal: AbortSignal): Promise<HostExecutor> {
    this.#closing.signal.throwIfAborted();
    let opening = this.#open.get(host.key);
    // Not the caller's signal: others may wait for the same connection. The connector has its own deadline.
    opening ??= this.#share(host.key, this.dedicated(host, this.#closing.signal));
    return await untilAborted(opening, signal);
  }

  /**
   * Shares an open connection to the host with this key, on which commands already run as root where the target says
   * so: a login is the most expensive part of a small deployment. Returns false when another one is shared already, or
   * after the close.
   */
  adopt(key: string, executor: HostExecutor): boolean {
    if (this.#closing.signal.aborted || this.#open.has(key)) return false;
    void this.#share(key, Promise.resolve(executor));
    return true;
  }

  /** A connection that is not shared: the caller disposes it. */
  async dedicated(host: HostTarget, signal: AbortSignal): Promise<HostExecutor> {
    return asRoot(host, await host.connect(signal));
  }

  /** Closes all connections, and cancels those that are being opened. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new HarnessError("cancelled", "The connections to hosts are closed"));
    await Promise.all([...this.#open].map(([key, opening]) => this.#drop(key, opening)));
  }

  /** Removes this connection, unless a newer one has replaced it; the next use opens a new one. */
  async #drop(key: string, opening: Promise<HostExecutor>): Promise<void> {
    if (this.#open.get(key) !== opening) return;
    this.#open.delete(key);
    const executor = await opening.catch(() => undefined);
    await executor?.[Symbol.asyncDispose]();
  }

  #share(key: string, opening: Promise<HostExecutor>): Promise<HostExecutor> {
    const made: Promise<HostExecutor> = opening.then((executor) => ({
      host: executor.host,
      run: async (command, options) => {
        try {
          return await executor.run(command, options);
        } catch (error) {
          // Removed as soon as a command finds it broken.
          if (error instanceof HarnessError && error.code === "unreachable") {
            void this.#drop(key, made);
          }
          throw error;
        }
      },
      [Symbol.asyncDispose]: () => executor[Symbol.asyncDispose](),
    }));
    this.#open.set(key, made);
    made.catch(() => this.#drop(key, made));
    return made;
  }
}

function asRoot(host: HostTarget, executor: HostExecutor): HostExecutor {
  return host.become === "sudo" ? sudoExecutor(executor) : executor;
}
