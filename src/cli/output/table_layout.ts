/**
 * Fits a table into the width of a terminal, without cutting a cell or breaking a word.
 *
 * Where it is too wide the last column wraps beside the others; where there is no room for that it moves below them;
 * and where the others do not fit either, each row becomes a paragraph of `title value` pairs.
 *
 * @module
 */
import { padText, textWidth, widestWord, wrapText } from "./text_layout.ts";

/** Between two columns. */
const GAP = "  ";
/** Before what moved below its row. */
const INDENT = "    ";
/** A narrower last column is hard to read: it moves below. */
const NARROWEST_TEXT = 24;

/** A table: titles, and rows with as many cells. */
export interface Table {
  /** Titles of the columns. */
  readonly head: readonly string[];
  /** Their cells, without control characters. */
  readonly rows: ReadonlyArray<readonly string[]>;
}

/** Colours of the parts; by default there are none. */
export interface TablePaint {
  /** A title. */
  title(text: string): string;
  /** A cell: `text` is it or one line of it, padded. */
  cell(text: string, cell: string): string;
}

/** A table as lines. */
export interface TableLines {
  /** Lines of the head; none where the titles stand in the rows. */
  readonly head: string[];
  /** The lines of each row. */
  readonly rows: string[][];
}

/** Lays out `table` for `columns` columns; `null` is a pipe or a file, where nothing is wrapped. */
export function layoutTable(
  table: Table,
  options: { columns: number | null; paint: TablePaint },
): TableLines {
  const { columns, paint } = options;
  const widths = table.head.map((title, column) =>
    table.rows.reduce((width, row) => Math.max(width, textWidth(row[column] ?? "")), title.length)
  );
  const fixed = widths.slice(0, -1).reduce((sum, width) => sum + width + GAP.length, 0);
  const last = widths.at(-1) ?? 0;
  const shape = { ...table, widths, paint };
  if (columns === null || fixed + last <= columns) return beside(shape, Infinity);
  const room = columns - fixed;
  const words = table.rows.map((row) => widestWord(row.at(-1) ?? ""));
  if (room >= Math.max(NARROWEST_TEXT, ...words)) return beside(shape, room);
  if (fixed - GAP.length <= columns && table.head.length > 1) return below(shape, columns);
  return paragraphs(shape, columns);
}

interface Shape extends Table {
  readonly widths: readonly number[];
  readonly paint: TablePaint;
}

/** All columns beside each other; the last one wraps at `room` columns and hangs. */
function beside(shape: Shape, room: number): TableLines {
  const { head, rows, widths, paint } = shape;
  const fixed = widths.slice(0, -1);
  const hang = " ".repeat(fixed.reduce((sum, width) => sum + width + GAP.length, 0));
  return {
    head: [cells(head, fixed, (text) => paint.title(text))],
    rows: rows.map((row) => {
      const cell = row.at(-1) ?? "";
      const [first = "", ...more] = room === Infinity ? [cell] : wrapText(cell, room);
      return [
        cells([...row.slice(0, -1), first], fixed, (text, at) => {
          return paint.cell(text, at === fixed.length ? cell : row[at] ?? "");
        }),
        ...more.map((line) => hang + paint.cell(line, cell)),
      ];
    }),
  };
}

/** The last column under its row. */
function below(shape: Shape, columns: number): TableLines {
  const { head, rows, widths, paint } = shape;
  const fixed = widths.slice(0, -2);
  const line = (row: readonly string[], draw: (text: string, at: number) => string) =>
    cells(row.slice(0, -1), fixed, draw);
  return {
    head: [line(head, (text) => paint.title(text)), INDENT + paint.title(head.at(-1) ?? "")],
    rows: rows.map((row) => {
      const cell = row.at(-1) ?? "";
      const under = cell === "" ? [] : wrapText(cell, columns - INDENT.length);
      return [
        line(row, (text, at) => paint.cell(text, row[at] ?? "")),
        ...under.map((text) => INDENT + paint.cell(text, cell)),
      ];
    }),
  };
}

/** A paragraph for each row: its first cell, then pairs of title and value. */
function paragraphs({ head, rows, paint }: Shape, columns: number): TableLines {
  const indent = "  ";
  return {
    head: [],
    rows: rows.map((row) => {
      const [name = ""] = row;
      const lines = wrapText(name, columns).map((line) => paint.cell(line, name));
      let used = Infinity;
      for (const [at, cell] of row.entries()) {
        if (at === 0 || cell === "" || cell === "-") continue;
        const title = (head[at] ?? "").toLowerCase();
        const wrapped = wrapText(cell, columns - indent.length - title.length - 1);
        const width = title.length + 1 + textWidth(wrapped[0] ?? "");
        const pair = `${paint.title(title)} ${paint.cell(wrapped[0] ?? "", cell)}`;
        const fits = used + GAP.length + width <= columns && wrapped.length === 1;
        if (fits) lines.push(`${lines.pop()}${GAP}${pair}`);
        else lines.push(indent + pair);
        used = wrapped.length > 1 ? Infinity : (fits ? used + GAP.length : indent.length) + width;
        const hang = " ".repeat(indent.length + title.length + 1);
        for (const more of wrapped.slice(1)) lines.push(hang + paint.cell(more, cell));
      }
      return lines;
    }),
  };
}

/** One line of cells, padded to `widths`; those without a width are not. */
function cells(
  row: readonly string[],
  widths: readonly number[],
  draw: (text: string, at: number) => string,
): string {
  const lastFilled = row.findLastIndex((cell) => cell !== "");
  return row.slice(0, lastFilled + 1).map((cell, at) => {
    const text = at === lastFilled ? cell : padText(cell, widths[at] ?? 0);
    return draw(text, at);
  }).join(GAP);
}
