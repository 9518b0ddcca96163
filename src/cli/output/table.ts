/**
 * Plain tables and colours for people; programs use `--json`.
 *
 * @module
 */
import { jsonText, visible } from "../../util/terminal_text.ts";
import type { Io } from "../context.ts";
import { style } from "./styles.ts";
import { layoutTable, type Table, type TablePaint } from "./table_layout.ts";
import { textWidth, widestWord, wrapLines, wrapText } from "./text_layout.ts";

/** ANSI colour numbers used here. */
const COLORS = {
  red: 31,
  green: 32,
  yellow: 33,
  blue: 34,
  magenta: 35,
  cyan: 36,
  dim: 2,
  bold: 1,
} as const;

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

/** How tables are painted; the parts are drawn with `color` only where that is wanted. */
export function tablePaint(color: boolean): TablePaint {
  return {
    title: (text) => paint(text, "bold", color),
    cell: (text, cell) => paint(text, MEANING[cell], color),
  };
}

/** Prints a table that fits the terminal; a pipe gets one line a row. Empty tables print nothing. */
export function printTable(
  io: Io,
  { head, rows }: Table,
): void {
  const table = { head, rows: rows.map((row) => row.map((cell) => visible(cell))) };
  const lines = layoutTable(table, { columns: columnsOf(io), paint: tablePaint(io.color) });
  for (const line of [...lines.head, ...lines.rows.flat()]) io.out(`${line}\n`);
}

/** The width to fit text into; `null` in a pipe, where nothing is wrapped. */
function columnsOf(io: Io): number | null {
  return io.outIsTerminal ? io.columns : null;
}

/** Prints text after a label; its further lines begin below its first word. */
export function printHanging(
  io: Io,
  lead: { text: string; color: Color | undefined },
  text: string,
): void {
  const columns = columnsOf(io);
  const used = textWidth(lead.text);
  const label = paint(lead.text, lead.color, io.color);
  const clean = visible(text);
  const fits = columns === null || columns - used >= widestWord(clean);
  // A word that does not fit beside the label may fit below it.
  const indent = fits ? used : 4;
  const lines = columns === null ? [clean] : wrapText(clean, columns - indent);
  if (!fits) io.out(`${label}\n`);
  for (const [at, line] of lines.entries()) {
    io.out(`${at === 0 && fits ? label : " ".repeat(indent)}${line}\n`);
  }
}

/** Prints text as one line, whatever is in it. */
export function printLine(io: Io, text: string): void {
  printText(io, `${visible(text)}\n`);
}

/** Prints whole lines, wrapped at words on a terminal. */
export function printText(io: Io, text: string): void {
  const columns = columnsOf(io);
  io.out(columns === null ? text : wrapLines(text, columns));
}

/** Prints `label: value` lines. */
export function printFacts(io: Io, facts: ReadonlyArray<readonly [string, string]>): void {
  for (const [label, value] of facts) {
    printHanging(io, { text: `${label}:`.padEnd(14), color: "dim" }, value);
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
