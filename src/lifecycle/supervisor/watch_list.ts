/**
 * What a machine's watcher is to watch, as the lines that it reads.
 *
 * @module
 */
import { sleep } from "../../util/async.ts";
import type { WatchPoint } from "../drivers/driver.ts";
import { MAX_WATCH_POINTS, WATCH_LIST_PAUSE_MS } from "../limits.ts";

/** What a line of a list can hold. */
const IN_A_LINE = /^\P{Cc}+$/u;

/** Numbers the points of services and sends them whenever they have changed. */
export class WatchList {
  readonly #points: () => ReadonlyMap<string, WatchPoint>;
  readonly #known = new Map<string, { number: number; line: string }>();
  readonly #ids = new Map<number, string>();
  #next = 1;
  #sent = "";
  #changed = Promise.withResolvers<void>();

  /** A list of what `points` returns, by service id. */
  constructor(points: () => ReadonlyMap<string, WatchPoint>) {
    this.#points = points;
    this.update();
  }

  /** Whether the watcher has been told to watch a service. */
  has(id: string): boolean {
    return this.#known.has(id);
  }

  /** The service of a line that the watcher printed; none where that has another point by now. */
  idOf(line: string): string | undefined {
    return this.#ids.get(Number(line));
  }

  /** Makes the watcher look at a service as at a new one. */
  renew(id: string): void {
    const known = this.#known.get(id);
    if (known !== undefined) this.#ids.delete(known.number);
    this.#known.delete(id);
  }

  /** Sends the list soon, if it has changed. */
  update(): void {
    this.#changed.resolve();
  }

  /** The lists; ends when `signal` fires. A reader that is slow is sent the last one only. */
  stream(signal: AbortSignal): ReadableStream<Uint8Array> {
    const aborted = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => aborted.resolve(), { once: true });
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        while (true) {
          await Promise.race([this.#changed.promise, aborted.promise]);
          // Services are added and removed in groups.
          await sleep(WATCH_LIST_PAUSE_MS, signal);
          if (signal.aborted) return controller.close();
          const text = this.#take();
          if (text !== null) return controller.enqueue(new TextEncoder().encode(text));
        }
      },
    }, { highWaterMark: 0 });
  }

  /** The list as it is now, or `null` where that has been sent. */
  #take(): string | null {
    this.#changed = Promise.withResolvers();
    const points = [...this.#points()].filter(([, { value }]) => IN_A_LINE.test(value))
      .slice(0, MAX_WATCH_POINTS);
    const left = new Set(this.#known.keys());
    for (const [id, { kind, value }] of points) {
      left.delete(id);
      const line = `${kind}\t${value}`;
      if (this.#known.get(id)?.line === line) continue;
      this.renew(id);
      const number = this.#next++;
      this.#known.set(id, { number, line });
      this.#ids.set(number, id);
    }
    for (const id of left) this.renew(id);
    const lines = [...this.#known.values()].map(({ number, line }) => `${number}\t${line}`);
    const bytes = new TextEncoder().encode(lines.join("")).length;
    const text = ["", ...lines, `end ${bytes}`, ""].join("\n");
    if (text === this.#sent) return null;
    this.#sent = text;
    return text;
  }
}
