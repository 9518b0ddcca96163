/**
 * A pool of channels on one connection, limited since sshd refuses more than MaxSessions.
 *
 * @module
 */
// @ts-types="@types/ssh2"
import type { Client, ClientChannel } from "ssh2";
import { HarnessError, messageOf } from "../../errors.ts";
import { SSH_OPEN_ATTEMPTS, SSH_OPEN_PAUSE_MS } from "../limits.ts";
import { unreachable } from "./errors.ts";
import type { Hop } from "./types.ts";
import { sleep, untilAborted } from "../../util/async.ts";

/** Opens channels; callers wait while the pool is exhausted. */
export class ChannelPool {
  readonly #client: Client;
  readonly #hop: Hop;
  readonly #waiting: Array<() => void> = [];
  readonly #background = new Set<() => void>();
  #limit: number;
  #used = 0;

  /** At most `limit` channels at once; fewer when the server refuses one. */
  constructor(client: Client, hop: Hop, limit: number) {
    this.#client = client;
    this.#hop = hop;
    this.#limit = Math.max(1, limit);
  }

  /** Concurrent channels. */
  get limit(): number {
    return this.#limit;
  }

  /**
   * Declares a channel of {@linkcode open} that of a background command: `onCrowded` is called when such commands leave no
   * room for another one.
   */
  yieldable(onCrowded: () => void): Disposable {
    this.#background.add(onCrowded);
    if (this.#waiting.length > 0) this.#makeRoom();
    return { [Symbol.dispose]: () => void this.#background.delete(onCrowded) };
  }

  /**
   * Runs `line` in a new channel as soon as there is room. Call {@linkcode release} when it has ended.
   *
   * `adopt` is called synchronously when the channel opens: a short command may end in the same packet, and a listener
   * that is added later misses its exit.
   *
   * @throws {HarnessError} `unavailable` when the server refuses the channel, `unreachable`.
   * @throws the reason of `signal`.
   */
  async open<T>(
    line: string,
    signal: AbortSignal,
    adopt: (channel: ClientChannel) => T,
  ): Promise<T> {
    let refusals = 0;
    while (true) {
      await this.#acquire(signal);
      const others = this.#used - 1;
      try {
        return await this.#openUnless(line, signal, adopt);
      } catch (error) {
        this.release();
        if (!isRefusal(error)) throw error;
        if (others > 0) {
          // The server's limit is the number of the others: do not exceed it again.
          this.#limit = Math.max(1, Math.min(this.#limit, others));
        } else {
          // The server may still count a session that has just ended.
          refusals += 1;
          if (refusals >= SSH_OPEN_ATTEMPTS) throw this.#refused(error);
          await sleep(SSH_OPEN_PAUSE_MS);
        }
      }
    }
  }

  /** Runs `line` regardless of the limit and waits for its end: for kills. */
  async runAtOnce(line: string): Promise<void> {
    await runAside(this.#client, line);
  }

  #openAtOnce<T>(line: string, adopt: (channel: ClientChannel) => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    try {
      this.#client.exec(line, (error, channel) => error ? reject(error) : resolve(adopt(channel)));
    } catch (error) {
      reject(unreachable(this.#hop, "run", "closed", "the connection is closed", error));
    }
    return promise;
  }

  /** Returns a channel of {@linkcode open} that has ended. */
  release(): void {
    this.#used -= 1;
    this.#waiting.shift()?.();
  }

  /** Asks the background commands to end where nothing else runs: what waits would wait for them. */
  #makeRoom(): void {
    if (this.#background.size < this.#used) return;
    for (const onCrowded of this.#background) onCrowded();
  }

  async #acquire(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (this.#used >= this.#limit) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const onAbort = (): void => {
        const index = this.#waiting.indexOf(resolve);
        if (index >= 0) this.#waiting.splice(index, 1);
        reject(signal.reason);
      };
      this.#waiting.push(resolve);
      this.#makeRoom();
      signal.addEventListener("abort", onAbort, { once: true });
      try {
        await promise;
      } finally {
        signal.removeEventListener("abort", onAbort);
      }
    }
    this.#used += 1;
  }

  async #openUnless<T>(
    line: string,
    signal: AbortSignal,
    adopt: (channel: ClientChannel) => T,
  ): Promise<T> {
    signal.throwIfAborted();
    let abandoned = false;
    const opening = this.#openAtOnce(line, (channel) => {
      // The caller has given up: stop the command that has just started.
      if (abandoned) {
        channel.signal("KILL");
        channel.close();
      }
      return adopt(channel);
    });
    return await untilAborted(opening, signal).catch((error) => {
      abandoned = true;
      throw error;
    });
  }

  #refused(error: unknown): HarnessError {
    return new HarnessError(
      "unavailable",
      `Cannot run a command on ${this.#hop.label}: sshd refused it (${messageOf(error)});` +
        " check MaxSessions and ForceCommand there",
      { cause: error },
    );
  }
}

/** Runs `line` in a channel of its own, discards its output, and waits for its end. */
export function runAside(client: Client, line: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onOpen = (error: Error | undefined, channel: ClientChannel): void => {
    if (error) return reject(error);
    channel.once("close", () => resolve());
    channel.on("error", () => {});
    channel.stdout.resume();
    channel.stderr.resume();
  };
  try {
    client.exec(line, onOpen);
  } catch (error) {
    reject(error);
  }
  return promise;
}

/** Whether sshd refused a channel on a working connection. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && /open failure|unable to exec/i.test(error.message);
}
