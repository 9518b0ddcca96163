/**
 * Learns at once when a service of a machine has ended: one long-lived command that looks at the processes of all of
 * them without starting any.
 *
 * What it prints is a hint to poll and nothing else; a machine without it is polled more often. It runs with the login
 * of the polls, writes nothing, and ends with its stdin, so nothing stays behind when the connection or this program
 * ends.
 *
 * @module
 */
import { getLogger } from "../../util/log.ts";
import { HarnessError, messageOf } from "../../errors.ts";
import type { Executor } from "../../executor/executor.ts";
import { settleWithin } from "../../util/async.ts";
import type { WatchPoint } from "../drivers/driver.ts";
import { OWN_ENVIRONMENT } from "../drivers/shell/library.ts";
import {
  WATCH_BYTES_PER_S,
  WATCH_CLOSE_GRACE_MS,
  WATCH_READ_BYTES,
  WATCH_READ_PAUSE_MS,
  WATCH_RETRY_BASE_MS,
  WATCH_RETRY_CAP_MS,
  WATCH_SIGN_OF_LIFE_MS,
  WATCH_SILENCE_MS,
  WATCH_STABLE_MS,
} from "../limits.ts";
import { WatchList } from "./watch_list.ts";
import launch from "./host_watch.sh" with { type: "text" };
import loop from "./host_watch_loop.sh" with { type: "text" };

/** Options for {@linkcode HostWatcher}. */
export interface HostWatcherOptions {
  /** What to watch now, by service id. */
  points: () => ReadonlyMap<string, WatchPoint>;
  /** Called with the ids of services that seem to have changed, again and again until their points change. */
  onHint: (ids: readonly string[]) => void;
  /** Called when a watcher that worked has ended. */
  onLost: () => void;
}

/** Keeps at most one watcher running on a machine. */
export class HostWatcher implements AsyncDisposable {
  readonly #options: HostWatcherOptions;
  #run: WatcherRun | null = null;
  #ended: Promise<void> = Promise.resolve();
  #failures = 0;
  #retryAt = 0;
  #closed = false;

  /** No watcher runs yet. */
  constructor(options: HostWatcherOptions) {
    this.#options = options;
  }

  /** Whether a service is being watched. */
  watches(id: string): boolean {
    return this.#run?.watches(id) ?? false;
  }

  /** Starts a watcher on the machine of `executor`, unless one runs, has failed just now, or has nothing to do. */
  start(executor: Executor): void {
    if (this.#closed || this.#run !== null || performance.now() < this.#retryAt) return;
    if (this.#options.points().size === 0) return;
    const run = this.#run = new WatcherRun(this.#options);
    this.#ended = run.run(executor).then((why) => this.#onEnd(run, executor.host, why));
  }

  /** Sends what is to be watched now. The points of the services `hinted` count as new, even where they are the same. */
  update(hinted: Iterable<string> = []): void {
    this.#run?.update(hinted);
  }

  /** Ends the watcher. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#run?.close();
    await this.#ended;
  }

  #onEnd(run: WatcherRun, host: string, why: string): void {
    this.#run = null;
    if (this.#closed) return;
    if (run.liveMs >= WATCH_STABLE_MS) this.#failures = 0;
    const pauseMs = Math.min(WATCH_RETRY_CAP_MS, WATCH_RETRY_BASE_MS * 2 ** this.#failures);
    this.#retryAt = performance.now() + pauseMs * (0.5 + Math.random() / 2);
    this.#failures += 1;
    getLogger(["harness", "lifecycle"]).debug("The watcher of {host} ended: {why}", { host, why });
    if (run.liveMs > 0) this.#options.onLost();
  }
}

/** One run of the command. */
class WatcherRun {
  readonly #options: HostWatcherOptions;
  readonly #list: WatchList;
  readonly #closing = new AbortController();
  readonly #kill = new AbortController();
  #liveSince: number | null = null;
  #silentFor = 0;
  #rest = "";
  #readAt = 0;
  #second = 0;
  #printed = 0;
  #ended: Promise<unknown> = Promise.resolve();

  constructor(options: HostWatcherOptions) {
    this.#options = options;
    this.#list = new WatchList(options.points);
  }

  /** For how long it has worked. */
  get liveMs(): number {
    return this.#liveSince === null ? 0 : performance.now() - this.#liveSince;
  }

  watches(id: string): boolean {
    return this.#liveSince !== null && !this.#closing.signal.aborted && this.#list.has(id);
  }

  update(hinted: Iterable<string>): void {
    for (const id of hinted) this.#list.renew(id);
    this.#list.update();
  }

  /** Runs it to its end and returns why it ended. Never rejects. */
  async run(executor: Executor): Promise<string> {
    const listening = setInterval(() => this.#listen(), WATCH_SIGN_OF_LIFE_MS);
    const running = executor.run({
      name: "host_watch",
      script: OWN_ENVIRONMENT + launch,
      args: [loop],
    }, {
      stdin: this.#list.stream(this.#closing.signal),
      onStdout: (chunk) => this.#take(chunk),
      maxOutputBytes: WATCH_READ_BYTES,
      signal: this.#kill.signal,
      onCrowded: () => void this.close(),
    });
    this.#ended = running;
    try {
      const { exitCode, signal } = await running;
      return signal ?? `exit code ${exitCode}`;
    } catch (error) {
      return messageOf(error);
    } finally {
      clearInterval(listening);
      this.#closing.abort();
    }
  }

  /** Ends its stdin, and kills it where that does not end it. */
  async close(): Promise<void> {
    this.#closing.abort();
    await settleWithin(this.#ended, WATCH_CLOSE_GRACE_MS);
    this.#kill.abort(new HarnessError("cancelled", "Watching ended"));
  }

  #fail(why: string): void {
    this.#kill.abort(new HarnessError("unavailable", `Stopped watching: ${why}`));
  }

  /** A machine or a network that is gone is silent. Counted in short waits: this process itself may have stood still. */
  #listen(): void {
    this.#silentFor += WATCH_SIGN_OF_LIFE_MS;
    if (this.#silentFor > WATCH_SILENCE_MS) this.#fail("nothing came");
  }

  #take(chunk: Uint8Array): void {
    if (this.#kill.signal.aborted) return;
    const now = performance.now();
    if (now - this.#second > 1000) [this.#second, this.#printed] = [now, 0];
    this.#printed += chunk.length;
    if (this.#printed > WATCH_BYTES_PER_S) return this.#fail("it prints too much");
    this.#silentFor = 0;
    // What is passed over is printed again.
    if (now - this.#readAt < WATCH_READ_PAUSE_MS) return void (this.#rest = "");
    this.#readAt = now;
    this.#liveSince ??= now;
    const text = this.#rest + new TextDecoder().decode(chunk.subarray(0, WATCH_READ_BYTES));
    const lines = text.split("\n");
    this.#rest = (lines.pop() ?? "").slice(0, 16);
    const ids = lines.map((line) => this.#list.idOf(line)).filter((id) => id !== undefined);
    if (ids.length > 0) this.#options.onHint(ids);
  }
}
