/**
 * Plain tables and colours for people; programs use `--json`.
 *
 * @module
 */
import type { Io } from "./io.ts";

/** ANSI colour numbers used here. */
const COLORS = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;

/** A colour by name. */
export type Color = keyof typeof COLORS;

/** Colours of states, outcomes and statuses, wherever they are shown. */
const MEANING: Readonly<Record<string, Color>> = {
  running: "green",
  ok: "green",
  done: "green",
  succeeded: "green",
  healthy: "green",
  failed: "red",
  unhealthy: "red",
  unreachable: "red",
  rollback_failed: "red",
  rolled_back: "yellow",
  partial: "yellow",
  cancelled: "yellow",
  interrupted: "yellow",
  skipped: "dim",
  stopped: "dim",
};

/** `text` in a colour, where colours are wanted. */
export function paint(text: string, color: Color | undefined, wanted: boolean): string {
  return wanted && color !== undefined ? `\x1b[${COLORS[color]}m${text}\x1b[0m` : text;
}

/** Text of others made safe for a terminal: control characters become `?`. */
export function printable(text: string): string {
  // deno-lint-ignore no-control-regex -- finding control characters is the purpose
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, "?");
}

/** A line of a log for a terminal: control characters can be seen and do nothing, except for tabs. */
export function visible(line: string): string {
  return line.replace(
    // deno-lint-ignore no-control-regex -- finding control characters is the purpose
    /[\x00-\x08\x0a-\x1f\x7f-\x9f]/g,
    (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

/** Prints a table; the last column is cut to the width of a terminal. Empty tables print nothing. */
export function printTable(
  io: Io,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  const clean = rows.map((row) => row.map(printable));
  const widths = head.map((title, column) =>
    clean.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), title.length)
  );
  const line = (cells: readonly string[], color: (cell: string) => Color | undefined) => {
    let used = 0;
    const parts = cells.map((cell, column) => {
      const last = column === cells.length - 1;
      const room = Math.max(8, io.columns - used);
      const shown = last && cell.length > room ? `${cell.slice(0, room - 1)}…` : cell;
      const padded = last ? shown : shown.padEnd(widths[column] ?? 0);
      used += padded.length + 2;
      return paint(padded, color(cell), io.color);
    });
    io.out(`${parts.join("  ").trimEnd()}\n`);
  };
  line(head, () => "bold");
  for (const row of clean) line(row, (cell) => MEANING[cell]);
}

/** Prints a value as one line of JSON. */
export function printJson(io: Io, value: unknown): void {
  io.out(`${JSON.stringify(value)}\n`);
}

/** The colour of a state, an outcome or a status. */
export function colorOf(word: string): Color | undefined {
  return MEANING[word];
}
