/**
 * Cooperative scheduler: runs long work in small pieces, fairly among clients, with turns of the event loop between.
 *
 * A job is a generator that yields between pieces of a millisecond or so. Owners (connections) are served
 * in rotation, however many jobs each has; only a few jobs are active at a time, which bounds the memory of
 * unfinished ones. In one turn of the event loop all jobs together get {@linkcode TURN_MS}.
 *
 * The turn ends with a timer of 0 ms and not with `setImmediate` or a message channel: with those Deno does
 * not poll its sockets in between.
 *
 * @module
 */
import {
  MAX_ACTIVE_JOBS,
  MESSAGES_TURN_MS,
  TURN_BYTES,
  TURN_MS,
  TURN_PIECE_MS,
} from "../limits.ts";

/** Of so many small messages one is timed. */
const TIMED_ONE_IN = 8;

/** A job: yields where others may run. */
export type Work<T> = Generator<void, T, void>;

/** The part of a generator that is used. */
interface Steps<T> {
  next(): IteratorResult<void, T>;
  return(value: T): IteratorResult<void, T>;
}

interface Job {
  readonly owner: object;
  readonly work: Steps<unknown>;
  /** Set when its owner has left. */
  over: boolean;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Options for {@linkcode Turns}. */
export interface TurnsOptions {
  /** Work in one turn of the event loop. @default {TURN_MS} */
  turnMs?: number;
  /** Active jobs at once. @default {MAX_ACTIVE_JOBS} */
  maxActive?: number;
}

/** Schedules work in turns of the event loop. */
export class Turns {
  readonly #turnMs: number;
  readonly #maxActive: number;
  /** Jobs that have not begun, by owner; the first owner is served next. */
  readonly #waiting = new Map<object, Job[]>();
  #active: Job[] = [];
  /** The job that is running. */
  #current: Job | null = null;
  /** Milliseconds that messages took in this turn, or in a few turns with little to do. */
  #messagesMs = 0;
  /** Bytes passed to sockets that count for this turn. */
  #spent = 0;
  /** When the present turn ends. */
  #end = 0;
  #number = 0;
  /** Set from the first piece of a turn until the next turn. */
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Starts idle. */
  constructor(options: TurnsOptions = {}) {
    this.#turnMs = options.turnMs ?? TURN_MS;
    this.#maxActive = options.maxActive ?? MAX_ACTIVE_JOBS;
  }

  /** Whether messages have used up this turn: those that arrive now wait for theirs in {@linkcode run}. */
  get isSpent(): boolean {
    return this.#messagesMs >= MESSAGES_TURN_MS;
  }

  /** How many turns there were. With little to do, several turns of the event loop are one. */
  get number(): number {
    return this.#number;
  }

  /**
   * For how many small messages the next one counts; 0 = it need not be timed, as the clock costs as much as it. By
   * chance: a client that knew which one is timed could send its costly ones between those.
   */
  sample(): number {
    return Math.random() * TIMED_ONE_IN < 1 ? TIMED_ONE_IN : 0;
  }

  /** Counts the time of messages that were handled immediately. */
  used(ms: number): void {
    this.#messagesMs += ms;
    // So a timer is rare with little traffic, and early with much.
    if (this.#messagesMs > TURN_PIECE_MS) this.begin();
  }

  /** Number of unfinished jobs. */
  get size(): number {
    let size = this.#active.length;
    for (const jobs of this.#waiting.values()) size += jobs.length;
    return size;
  }

  /**
   * Runs a job piece by piece in its owner's turns: at once where time is left in this turn of the event
   * loop. Resolves with its result, or with `null` when its owner has left.
   */
  run<T>(owner: object, work: Steps<T>): Promise<T | null> {
    return new Promise((resolve, reject) => {
      const job: Job = { owner, work, over: false, resolve: resolve as Job["resolve"], reject };
      const jobs = this.#waiting.get(owner);
      if (jobs === undefined) this.#waiting.set(owner, [job]);
      else jobs.push(job);
      if (this.#mayWork) this.#work();
    });
  }

  /** Runs a single piece of work in its owner's turn; see {@linkcode Turns.run}. */
  once<T>(owner: object, piece: () => T): Promise<T | null> {
    return this.run(owner, {
      next: () => ({ done: true, value: piece() }),
      return: (value) => ({ done: true, value }),
    });
  }

  /** Counts bytes passed to a socket: the runtime writes them after our work, in the same turn. */
  spend(bytes: number): void {
    this.#spent += bytes;
    if (this.#spent >= TURN_BYTES) this.#end = 0;
  }

  /** Cancels all work of an owner that is gone. */
  leave(owner: object): void {
    const mine = [...this.#waiting.get(owner) ?? [], ...this.#active].filter((job) =>
      job.owner === owner
    );
    this.#waiting.delete(owner);
    this.#active = this.#active.filter((job) => job.owner !== owner);
    for (const job of mine) giveUp(job);
    // A running job is cancelled after its piece.
    if (this.#current?.owner === owner) this.#current.over = true;
  }

  /** Cancels everything. */
  close(): void {
    for (const owner of [...this.#waiting.keys(), ...this.#active.map((job) => job.owner)]) {
      this.leave(owner);
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Whether a piece may run now: none is running, and this turn has not begun or has time left. */
  get #mayWork(): boolean {
    if (this.#current !== null) return false;
    return this.#timer === undefined || performance.now() < this.#end;
  }

  /** Begins a turn, unless one is under way; work continues in the next one. */
  begin(): void {
    if (this.#timer !== undefined) return;
    this.#end = this.#spent < TURN_BYTES ? performance.now() + this.#turnMs : 0;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#number++;
      this.#messagesMs = 0;
      // Bytes beyond one turn's count for the next ones, which are left to the runtime and others.
      this.#spent = Math.max(0, this.#spent - TURN_BYTES);
      if (this.#spent >= TURN_BYTES) return this.begin();
      if (this.#active.length > 0 || this.#waiting.size > 0) this.#work();
    }, 0);
  }

  #work(): void {
    this.begin();
    do {
      while (this.#active.length < this.#maxActive && this.#waiting.size > 0) this.#admit();
      const job = this.#active.shift();
      if (job === undefined) return;
      this.#step(job);
    } while (performance.now() < this.#end);
  }

  #admit(): void {
    for (const [owner, jobs] of this.#waiting) {
      const job = jobs.shift();
      this.#waiting.delete(owner);
      if (jobs.length > 0) this.#waiting.set(owner, jobs); // at the end
      if (job !== undefined) this.#active.push(job);
      return;
    }
  }

  #step(job: Job): void {
    this.#current = job;
    try {
      const { done, value } = job.work.next();
      if (done === true) job.resolve(value);
      else if (job.over) giveUp(job);
      else this.#active.push(job);
    } catch (error) {
      job.reject(error);
    } finally {
      this.#current = null;
    }
  }
}

function giveUp({ work, resolve }: Job): void {
  resolve(null);
  work.return(null);
}
