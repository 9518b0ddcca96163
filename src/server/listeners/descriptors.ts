/**
 * Reserves file descriptors for the server's own files, and pauses the listener when the rest is used up.
 *
 * The reserve is held as open descriptors of `/dev/null`, so it needs no counting and no knowledge of the
 * platform. When descriptors run out, the listener stops accepting and the reserve is released; only files can
 * use it, since nothing accepts. It is taken again, with some headroom, before the listener resumes. Established
 * connections are kept all the time.
 *
 * @module
 */
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { getLogger } from "../../util/log.ts";
import { askDescriptorLimit } from "../../util/node/descriptor_limit.ts";
import { isGranted } from "../../util/node/runtime.ts";
import {
  DESCRIPTOR_HEADROOM,
  DESCRIPTOR_POLL_MS,
  DESCRIPTOR_PROBE,
  DESCRIPTOR_RESERVE,
  DESCRIPTOR_RESERVE_SHARE,
  DESCRIPTORS_UNTIL_KNOWN,
  LISTEN_RETRY_MAX_MS,
} from "../limits.ts";

/** A listener that can stop accepting connections and start again. */
export interface Acceptor {
  /**
   * Makes the listener stop accepting and returns true. Established connections are kept. A listener that cannot
   * be stopped directly returns false and calls {@linkcode DescriptorGuard.stopped} once it has stopped.
   */
  pause(reserve: DescriptorReserve): boolean | Promise<boolean>;
  /** Whether connections are still accepted, for a listener that can stop silently. */
  isAlive?(): Promise<boolean>;
  /** Listens again on the same address. Throws when that is not possible yet. */
  resume(): void | Promise<void>;
}

/** Soft limit of open descriptors, or `null` where this process cannot read it. */
function descriptorLimit(): number | null {
  if (!isGranted({ name: "read", path: "/proc/self/limits" })) return null;
  try {
    const found = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"));
    return found === null ? null : Number(found[1]);
  } catch {
    return null;
  }
}

/** Descriptors that are open. Where they cannot be listed, the lowest free one: a process takes the lowest first. */
function descriptorsInUse(): number | null {
  return listedDescriptors() ?? lowestFree();
}

function listedDescriptors(): number | null {
  if (!isGranted({ name: "read", path: "/proc/self/fd" })) return null;
  try {
    return readdirSync("/proc/self/fd").length - 1; // one is the directory itself
  } catch {
    return null;
  }
}

function lowestFree(): number | null {
  const [lowest] = open(1) ?? [];
  if (lowest === undefined) return null;
  closeSync(lowest);
  return lowest;
}

/** Descriptors held so that clients cannot use them. */
export class DescriptorReserve {
  readonly #usedAtStart = descriptorsInUse();
  #limit: number | null;
  #asked: Promise<void> | null = null;
  #isAnswered = false;
  #held: number[] = [];

  /** Holds nothing yet. */
  constructor(limit: number | null = descriptorLimit()) {
    this.#limit = limit;
  }

  /** Target number of descriptors. */
  get size(): number {
    return this.#limit === null
      ? DESCRIPTOR_RESERVE
      : Math.min(DESCRIPTOR_RESERVE, Math.floor(this.#limit / DESCRIPTOR_RESERVE_SHARE));
  }

  /** Descriptors that clients may use: all but those in use at the start, the reserve and some headroom. */
  get forClients(): number {
    if (this.#limit === null) return this.#isAnswered ? Infinity : DESCRIPTORS_UNTIL_KNOWN;
    if (this.#usedAtStart === null) return Infinity;
    return Math.max(1, this.#limit - this.#usedAtStart - this.size - DESCRIPTOR_HEADROOM);
  }

  /** Takes the reserve for the first time. Where it does not fit, the limit is so low that it can be counted. */
  begin(): void {
    if (this.hold(DESCRIPTOR_HEADROOM)) return;
    const used = descriptorsInUse();
    if (used === null) return;
    this.#limit = used + countFree(DESCRIPTOR_RESERVE + DESCRIPTOR_HEADROOM);
    this.hold();
  }

  /** Asks once for the limit, where it is not known. */
  async learn(): Promise<void> {
    if (this.#limit === null) await (this.#asked ??= this.#ask());
  }

  async #ask(): Promise<void> {
    const limit = await askDescriptorLimit();
    this.#isAnswered = true;
    this.#limit ??= limit;
    this.release(Math.max(0, this.#held.length - this.size));
  }

  /** Takes the reserve if it fits with `headroom` to spare; false when it does not. */
  hold(headroom = 0): boolean {
    const spare = open(this.size - this.#held.length + headroom);
    if (spare === null) return false;
    close(spare.splice(0, headroom));
    this.#held.push(...spare);
    return true;
  }

  /** Releases all of it, or that many. */
  release(count = this.#held.length): void {
    close(this.#held.splice(0, count));
  }

  /** Whether hardly any descriptor is free. */
  isExhausted(): boolean {
    const probe = open(DESCRIPTOR_PROBE);
    if (probe === null) return true;
    close(probe);
    return false;
  }
}

/** Pauses a listener while descriptors are short. */
export class DescriptorGuard {
  readonly #acceptor: Acceptor;
  readonly #reserve: DescriptorReserve;
  readonly #timer: ReturnType<typeof setInterval>;
  #paused = false;
  #looking: Promise<void> | null = null;
  #closed = false;
  #retryMs = DESCRIPTOR_POLL_MS;
  #retryAt = 0;

  /** Takes the reserve and starts polling. */
  constructor(acceptor: Acceptor, reserve: DescriptorReserve) {
    this.#acceptor = acceptor;
    this.#reserve = reserve;
    this.#reserve.begin();
    this.#timer = setInterval(() => {
      this.#looking ??= this.#look().finally(() => this.#looking = null);
    }, DESCRIPTOR_POLL_MS);
  }

  /** The listener has stopped accepting by itself, out of descriptors or for another reason. */
  stopped(why: unknown): void {
    if (this.#closed || this.#paused) return;
    this.#paused = true;
    this.#reserve.release();
    getLogger(["harness", "server"]).warn(
      "Accepts no connections for the moment: {why}; established ones go on, raise the limit of open files (ulimit -n, LimitNOFILE) if this comes back",
      { why },
    );
  }

  /** Stops polling and releases the reserve. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#looking;
    this.#reserve.release();
  }

  async #look(): Promise<void> {
    try {
      if (this.#paused) await this.#tryResume();
      else if (this.#reserve.isExhausted()) await this.#pause("no file descriptor is free");
      else if (await this.#acceptor.isAlive?.() === false) {
        await this.#pause("accepting had failed");
      } else this.#reserve.hold();
      await this.#reserve.learn();
    } catch (error) {
      getLogger(["harness", "server"]).error("Cannot monitor the listener: {error}", { error });
    }
  }

  async #pause(why: string): Promise<void> {
    if (this.#closed) return;
    const paused = await this.#acceptor.pause(this.#reserve);
    if (paused) this.stopped(why);
  }

  async #tryResume(): Promise<void> {
    if (
      this.#closed || performance.now() < this.#retryAt || !this.#reserve.hold(DESCRIPTOR_HEADROOM)
    ) return;
    try {
      await this.#acceptor.resume();
    } catch (error) {
      this.#reserve.release();
      this.#retryMs = Math.min(2 * this.#retryMs, LISTEN_RETRY_MAX_MS);
      this.#retryAt = performance.now() + this.#retryMs;
      getLogger(["harness", "server"]).warn("Cannot listen again yet: {error}", { error });
      return;
    }
    this.#retryMs = DESCRIPTOR_POLL_MS;
    this.#paused = false;
    getLogger(["harness", "server"]).info("Accepts connections again");
  }
}

/** Opens that many descriptors of `/dev/null`, or none and returns `null`. */
function open(count: number): number[] | null {
  const opened: number[] = [];
  if (!isGranted({ name: "read", path: "/dev/null" })) return opened;
  try {
    while (opened.length < count) opened.push(openSync("/dev/null", "r"));
    return opened;
  } catch (error) {
    if (!isExhaustion(error)) return opened; // a root directory without /dev: there is no reserve then
    close(opened);
    return null;
  }
}

/** Descriptors that are free, at most `max`. */
function countFree(max: number): number {
  const opened: number[] = [];
  try {
    while (opened.length < max) opened.push(openSync("/dev/null", "r"));
  } catch {
    // That was the last one.
  }
  close(opened);
  return opened.length;
}

/** Whether an error means that the process, or the machine, has no descriptor left. */
export function isExhaustion(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === "EMFILE" || code === "ENFILE";
}

function close(descriptors: readonly number[]): void {
  for (const descriptor of descriptors) closeSync(descriptor);
}
