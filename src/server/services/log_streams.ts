/**
 * `service_log` events: one follow of a service's log, however many connections read it.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { HarnessError } from "../../errors.ts";
import { encodeNotice } from "../../protocol/codec.ts";
import type { Services } from "../backends.ts";
import { MAX_LOG_FOLLOWS } from "../peer_limits.ts";

/** Somebody who reads a log. */
export interface LogReader {
  /** Queues a frame. Must not throw. */
  deliver(text: string): void;
}

interface Follow {
  readonly controller: AbortController;
  /** How often each reader asked: two subscriptions of a connection are still one delivery. */
  readonly readers: Map<LogReader, number>;
}

/** The logs being followed, by instance id. */
export class LogStreams {
  readonly #services: Services;
  readonly #follows = new Map<string, Follow>();

  /** Follows through `services`. */
  constructor(services: Services) {
    this.#services = services;
  }

  /**
   * Whether so many logs more can be followed.
   *
   * @throws {HarnessError} `rate_limited` when not.
   */
  requireRoom(ids: readonly string[]): void {
    const more = new Set(ids.filter((id) => !this.#follows.has(id))).size;
    if (this.#follows.size + more <= MAX_LOG_FOLLOWS) return;
    throw new HarnessError(
      "rate_limited",
      `Cannot subscribe to service_log: the server follows at most ${MAX_LOG_FOLLOWS} logs at once, name fewer services or try again later`,
      { details: { reason: "log_follows", max: MAX_LOG_FOLLOWS } },
    );
  }

  /** Sends new lines of an instance's log to a reader; see {@linkcode requireRoom}. */
  add(reader: LogReader, instance: { id: string; name: string }): void {
    let follow = this.#follows.get(instance.id);
    if (follow === undefined) {
      // Several that asked at the same time found room for each of them alone.
      if (this.#follows.size >= MAX_LOG_FOLLOWS) return;
      follow = { controller: new AbortController(), readers: new Map() };
      this.#follows.set(instance.id, follow);
      void this.#run(instance, follow);
    }
    follow.readers.set(reader, (follow.readers.get(reader) ?? 0) + 1);
  }

  /** Takes one {@linkcode add} back; the last reader ends the follow. */
  remove(reader: LogReader, id: string): void {
    const follow = this.#follows.get(id);
    const count = follow?.readers.get(reader);
    if (follow === undefined || count === undefined) return;
    if (count > 1) follow.readers.set(reader, count - 1);
    else follow.readers.delete(reader);
    if (follow.readers.size === 0) this.#end(id, follow);
  }

  /** Ends all. */
  close(): void {
    for (const [id, follow] of this.#follows) this.#end(id, follow);
  }

  #end(id: string, follow: Follow): void {
    if (this.#follows.get(id) === follow) this.#follows.delete(id);
    follow.controller.abort();
  }

  async #run(instance: { id: string; name: string }, follow: Follow): Promise<void> {
    const { signal } = follow.controller;
    const { id, name: service } = instance;
    try {
      for await (const line of this.#services.follow(id, signal)) {
        if (signal.aborted) return;
        const text = encodeNotice("service_log", { service, id, line });
        for (const reader of follow.readers.keys()) reader.deliver(text);
      }
    } catch (error) {
      // The subscription stays; it is silent until somebody subscribes anew.
      if (!signal.aborted) {
        getLogger(["harness", "server"]).warn("Cannot follow the log of {id}: {error}", {
          id,
          error,
        });
      }
    } finally {
      this.#end(id, follow);
    }
  }
}
