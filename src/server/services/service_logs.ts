/**
 * Logs of services: bounded reads for `service_logs`, and one stream per instance for `service_log` events.
 *
 * A read is a command on the service's machine, over the connection that deployments to it use. Equal reads are shared,
 * and none is made for clients that have gone.
 *
 * @module
 */
import { Semaphore } from "../../util/mutex.ts";
import { HarnessError } from "../../errors.ts";
import type { ActionData, ActionParams } from "../../protocol/actions.ts";
import type { CallContext, Services } from "../backends.ts";
import { MAX_LOG_TAIL_LINES } from "../../model/limits.ts";
import { DEFAULT_LOG_TAIL_LINES, MAX_LOG_FOLLOWS, MAX_LOG_READS } from "../limits.ts";
import { getLogger } from "../../util/log.ts";
import { encodeNotice } from "../../protocol/codec.ts";

/** The client of a read. */
export interface LogAsker extends CallContext {
  /** Whether its connection is gone. */
  readonly isGone?: boolean;
}

type Logs = ActionData<"service_logs">;

/** Params of `service_logs`. */
export type LogParams = ActionParams<"service_logs">;

/** Which part of a log a request asks for. */
export function logRange({ tail, since }: LogParams): { lines: number; sinceMs?: number } {
  if (since === undefined) return { lines: tail ?? DEFAULT_LOG_TAIL_LINES };
  // All of it, as far as one answer goes.
  return { lines: tail ?? MAX_LOG_TAIL_LINES, sinceMs: Date.parse(since) };
}

interface Read {
  readonly askers: LogAsker[];
  readonly result: Promise<Logs>;
}

/** Reads logs for all connections of a server. */
export class LogReads {
  readonly #services: Services;
  readonly #slots: Semaphore;
  /** Queued reads by their params. A read that has begun is not shared: it could lack newer lines. */
  readonly #waiting = new Map<string, Read>();

  /** Reads through `services`. */
  constructor(services: Services, maxReads: number = MAX_LOG_READS) {
    this.#services = services;
    this.#slots = new Semaphore(maxReads);
  }

  /** The last lines of a service's log. @throws what `Services.logs` throws. */
  read(params: LogParams, asker: LogAsker): Promise<Logs> {
    const key = JSON.stringify([params.name, params.tail, params.since]);
    const known = this.#waiting.get(key);
    if (known !== undefined) {
      known.askers.push(asker);
      return known.result;
    }
    const askers = [asker];
    const result = this.#slots.runExclusive(async () => {
      this.#waiting.delete(key);
      if (askers.every(({ isGone }) => isGone === true)) {
        throw new HarnessError(
          "cancelled",
          "Stopped reading a log: all clients that requested it are gone",
        );
      }
      return await this.#services.logs(params, asker);
    });
    this.#waiting.set(key, { askers, result });
    return result;
  }
}

/** A reader of a log stream. */
export interface LogReader {
  /** Queues a frame. Must not throw. */
  deliver(text: string): void;
}

interface Follow {
  readonly controller: AbortController;
  /** Subscriptions of each reader: several of one connection are one delivery. */
  readonly readers: Map<LogReader, number>;
}

/** Log streams by instance id, shared by all their readers. */
export class LogStreams {
  readonly #services: Services;
  readonly #follows = new Map<string, Follow>();

  /** Follows through `services`. */
  constructor(services: Services) {
    this.#services = services;
  }

  /**
   * Refuses to follow more logs than the limit.
   *
   * @throws {HarnessError} `rate_limited`.
   */
  requireRoom(ids: readonly string[]): void {
    const more = new Set(ids.filter((id) => !this.#follows.has(id))).size;
    if (this.#follows.size + more <= MAX_LOG_FOLLOWS) return;
    throw new HarnessError(
      "rate_limited",
      `Too many log streams (limit ${MAX_LOG_FOLLOWS}); name fewer services or try again later`,
      { details: { reason: "log_follows", max: MAX_LOG_FOLLOWS } },
    );
  }

  /** Sends new lines of an instance's log to a reader; see {@linkcode requireRoom}. */
  add(reader: LogReader, instance: { id: string; name: string }): void {
    let follow = this.#follows.get(instance.id);
    if (follow === undefined) {
      // Concurrent subscribers may each have passed the check.
      if (this.#follows.size >= MAX_LOG_FOLLOWS) return;
      follow = { controller: new AbortController(), readers: new Map() };
      this.#follows.set(instance.id, follow);
      void this.#run(instance, follow);
    }
    follow.readers.set(reader, (follow.readers.get(reader) ?? 0) + 1);
  }

  /** Takes one {@linkcode add} back; the last reader ends the stream. */
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
      // The subscription stays, but is silent until the next subscribe.
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
