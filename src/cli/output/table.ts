/**
 * Plain tables and colours for people; programs use `--json`.
 *
 * @module
 */
import { jsonText, visible } from "../../util/terminal_text.ts";
import type { Io } from "../context.ts";
import { style } from "./styles.ts";

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
  return wanted && color !== undefined ? `${style(COLORS[color])}${text}${style(0)}` : text;
}

/** Prints a table; the last column is cut to the width of a terminal. Empty tables print nothing. */
export function printTable(
  io: Io,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  const clean = rows.map((row) => row.map((cell) => visible(cell)));
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

/** Prints text as one line, whatever is in it. */
export function printLine(io: Io, text: string): void {
  io.out(`${visible(text)}\n`);
}

/** Prints `label: value` lines. */
export function printFacts(io: Io, facts: ReadonlyArray<readonly [string, string]>): void {
  for (const [label, value] of facts) {
    io.out(`${paint(`${label}:`.padEnd(14), "dim", io.color)}${visible(value)}\n`);
  }
}

/** Prints a value as one line of JSON. */
export function printJson(io: Io, value: unknown): void {
  io.out(`${jsonText(value)}\n`);
}

/** The colour of a state, an outcome or a status. */
export function colorOf(word: string): Color | undefined {
  return MEANING[word];
}
