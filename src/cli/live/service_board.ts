/**
 * The picture of `watch`: a line on the server, a table of its services, and the part of it that fits.
 *
 * @module
 */
import { applyEvent } from "../../registry/apply_event.ts";
import type { RegistryEvent } from "../../model/event.ts";
import { SERVICE_STATES, type ServiceEntry } from "../../model/service.ts";
import { visible } from "../../util/terminal_text.ts";
import type { TerminalSize } from "../output/screen.ts";
import { rowsOf } from "./full_screen.ts";
import { serviceTable } from "../output/service_table.ts";
import { paint, tablePaint } from "../output/table.ts";
import { layoutTable } from "../output/table_layout.ts";
import { textWidth, wrapText } from "../output/text_layout.ts";

/** Options for {@linkcode ServiceBoard}. */
export interface ServiceBoardOptions {
  /** The server, for the first line. */
  title: string;
  /** Which services are shown. */
  wants: (entry: ServiceEntry) => boolean;
  /** More columns, and full times. */
  wide: boolean;
  /** Whether to colour. */
  color: boolean;
  /** Whether keys are read: else the last line does not offer any. */
  hasKeys: boolean;
}

/** Steps of the keys, in rows; `page` is what fits. */
const KEYS: Readonly<Record<string, (page: number) => number>> = {
  "\x1b[A": () => -1,
  "\x1bOA": () => -1,
  k: () => -1,
  "\x1b[B": () => 1,
  "\x1bOB": () => 1,
  j: () => 1,
  "\x1b[5~": (page) => -page,
  "\x1b[6~": (page) => page,
  " ": (page) => page,
  "\x1b[H": () => -Infinity,
  g: () => -Infinity,
  "\x1b[F": () => Infinity,
  G: () => Infinity,
};

/** The services as they are now, and the lines that show them. */
export class ServiceBoard {
  readonly #options: ServiceBoardOptions;
  readonly #services = new Map<string, ServiceEntry>();
  #isLoaded = false;
  /** What is wrong with the connection, or `null`. */
  #trouble: string | null = null;
  /** First row that is shown, and how many were. */
  #top = 0;
  #page = 1;

  /** An empty board. */
  constructor(options: ServiceBoardOptions) {
    this.#options = options;
  }

  /** Replaces all. */
  load(services: readonly ServiceEntry[]): void {
    this.#services.clear();
    for (const entry of services) this.#services.set(entry.id, entry);
    this.#isLoaded = true;
  }

  /** Applies a change. */
  apply(event: RegistryEvent): void {
    applyEvent(this.#services, event);
  }

  /** Shows trouble with the connection below the title; `null` ends it. */
  setTrouble(text: string | null): void {
    this.#trouble = text;
  }

  /** Scrolls, if `key` does. Returns whether it did. */
  press(key: string): boolean {
    const step = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
    if (step === undefined) return false;
    this.#top = Math.max(0, this.#top + step(this.#page));
    return true;
  }

  /** The picture, of at most `size.rows` rows of the terminal. */
  lines({ columns, rows }: TerminalSize, now: number = Date.now()): string[] {
    const { color, wide } = this.#options;
    const entries = this.#shown();
    const table = layoutTable(serviceTable(entries, { wide, now }), {
      columns,
      paint: tablePaint(color),
    });
    const top = [...this.#title(entries, columns), ...table.head];
    const taken = (lines: readonly string[]) => rowsOf(lines, columns);
    const room = rows - taken(top);
    const fits = taken(table.rows.flat()) <= room;
    if (fits) this.#top = 0;
    const [body, count] = fits
      ? [table.rows.flat(), entries.length]
      : this.#window(table.rows, room - 1, taken);
    const foot = fits ? [] : [this.#foot(count, entries.length, columns)];
    return [...top, ...body, ...foot];
  }

  #shown(): ServiceEntry[] {
    return [...this.#services.values()]
      .filter(this.#options.wants)
      .sort((a, b) => a.id < b.id ? -1 : 1);
  }

  #title(entries: readonly ServiceEntry[], columns: number): string[] {
    const { title, color } = this.#options;
    const states = SERVICE_STATES
      .map((state) => [state, entries.filter((entry) => entry.state === state).length] as const)
      .filter(([, count]) => count > 0)
      .map(([state, count]) => `${count} ${state}`);
    const sick = entries.filter((entry) => entry.last_health_check?.healthy === false).length;
    const counts = [...states, ...(sick === 0 ? [] : [`${sick} unhealthy`])].join(", ");
    const services = entries.length === 1 ? "1 service" : `${entries.length} services`;
    const summary = !this.#isLoaded
      ? "loading"
      : entries.length === 0
      ? "no services yet"
      : `${services}: ${counts}`;
    const text = wrapText(`${visible(title)}  ${summary}`, columns);
    const trouble = this.#trouble === null ? [""] : wrapText(visible(this.#trouble), columns);
    return [
      ...text.map((line) => paint(line, "bold", color)),
      ...trouble.map((line) => line === "" ? "" : paint(line, "yellow", color)),
    ];
  }

  /** The rows from the top one on that fit into `room`, and how many they are. */
  #window(
    rows: readonly string[][],
    room: number,
    taken: (lines: readonly string[]) => number,
  ): [string[], number] {
    // Not further than that the last row is the last line.
    let last = rows.length;
    for (let left = room; last > 0; last--) {
      left -= taken(rows[last - 1] ?? []);
      if (left < 0) break;
    }
    this.#top = Math.min(this.#top, last);
    const lines: string[] = [];
    let count = 0;
    for (const row of rows.slice(this.#top)) {
      if (taken(lines) + taken(row) > room && count > 0) break;
      lines.push(...row);
      count++;
    }
    this.#page = Math.max(1, count);
    return [lines.slice(0, Math.max(0, room)), count];
  }

  #foot(count: number, total: number, columns: number): string {
    const keys = this.#options.hasKeys ? "  ↑ ↓ PgUp PgDn scroll, q quits" : "";
    const text = `${this.#top + 1} to ${this.#top + count} of ${total}`;
    const whole = text + keys;
    return paint(textWidth(whole) <= columns ? whole : text, "dim", this.#options.color);
  }
}
