/**
 * Draws the screen of a terminal as an SVG: dark background, no fonts of its own, bars as shapes.
 */
import type xterm from "@xterm/headless";
import { textWidth } from "../../src/cli/output/text_layout.ts";

/** Cells of the same look, side by side. */
interface Run {
  readonly column: number;
  readonly width: number;
  readonly text: string;
  readonly color: string;
  readonly bold: boolean;
}

/** A line of the screen. */
export type Row = readonly Run[];

const CELL = { width: 8.4, height: 19 };
const PADDING = 18;
const BAR_HEIGHT = 34;
const BACKGROUND = "#0d1117";
const FOREGROUND = "#d1d7e0";
const DIM = "#6e7681";
/** The sixteen colours, readable on the background. */
const PALETTE = [
  ...["#484f58", "#ff7b72", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#76e3ea", "#d1d7e0"],
  ...["#6e7681", "#ffa198", "#7ee787", "#f2cc60", "#a5d6ff", "#e2c5ff", "#b3f0ff", "#ffffff"],
];

/** The rows from `from` to the last that is not empty; `change` may replace a text by one of the same width. */
export function screenRows(
  terminal: xterm.Terminal,
  from: number,
  change: (text: string) => string = (text) => text,
): Row[] {
  const buffer = terminal.buffer.active;
  const rows = Array.from({ length: buffer.length - from }, (_, index) => {
    const line = buffer.getLine(from + index);
    return line === undefined ? [] : rowOf(line, terminal.cols, change);
  });
  return rows.slice(0, rows.findLastIndex((row) => row.length > 0) + 1);
}

function rowOf(
  line: xterm.IBufferLine,
  columns: number,
  change: (text: string) => string,
): Run[] {
  const runs: Run[] = [];
  for (let column = 0; column < columns; column += 1) {
    const cell = line.getCell(column);
    if (cell === undefined || cell.getWidth() === 0) continue;
    const look = {
      color: cell.isDim() !== 0
        ? DIM
        : cell.isFgPalette()
        ? PALETTE[cell.getFgColor()] ?? FOREGROUND
        : FOREGROUND,
      bold: cell.isBold() !== 0,
    };
    const text = cell.getChars() || " ";
    const last = runs.at(-1);
    const isBar = (chars: string) => /^[█░]/.test(chars);
    if (
      last !== undefined && last.color === look.color && last.bold === look.bold &&
      isBar(last.text) === isBar(text)
    ) {
      runs[runs.length - 1] = {
        ...last,
        text: last.text + text,
        width: last.width + cell.getWidth(),
      };
    } else runs.push({ column, width: cell.getWidth(), text, ...look });
  }
  return runs.map((run) => ({ ...run, text: change(run.text) }))
    .filter((run, index) => index < runs.length - 1 || run.text.trim() !== "");
}

/** The picture of `rows`. */
export function terminalSvg(
  rows: readonly Row[],
  options: { columns: number; title: string },
): string {
  const width = Math.ceil(options.columns * CELL.width + 2 * PADDING);
  const height = BAR_HEIGHT + rows.length * CELL.height + PADDING;
  const lines = rows.flatMap((row, index) => {
    const y = BAR_HEIGHT + index * CELL.height;
    return row.filter(({ text }) => text.trim() !== "").map((run) => shapeOf(run, y));
  });
  const dots = ["#ff5f57", "#febc2e", "#28c840"].map((color, index) =>
    `<circle cx="${PADDING + 6 + index * 20}" cy="17" r="6" fill="${color}"/>`
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${
      escaped(options.title)
    }">`,
    `<title>${escaped(options.title)}</title>`,
    `<rect width="${width}" height="${height}" rx="10" fill="${BACKGROUND}"/>`,
    ...dots,
    `<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14">`,
    ...lines,
    "</g>",
    "</svg>",
    "",
  ].join("\n");
}

function shapeOf({ column, width, text, color, bold }: Run, y: number): string {
  const x = round(PADDING + column * CELL.width);
  if (/^[█░]+$/.test(text)) {
    const full = text.startsWith("█") ? "" : ` fill-opacity="0.45"`;
    return `<rect x="${x}" y="${y + 4}" width="${round(width * CELL.width)}" height="${
      CELL.height - 7
    }" fill="${color}"${full}/>`;
  }
  const weight = bold ? ` font-weight="bold"` : "";
  // Several spaces would be drawn as one: each part has its own place.
  return Array.from(text.matchAll(/\S+(?: \S+)*/g), (part) => {
    const at = column + textWidth(text.slice(0, part.index));
    const length = round(textWidth(part[0]) * CELL.width);
    return `<text x="${round(PADDING + at * CELL.width)}" y="${y + 14}" fill="${color}"${weight} ` +
      `textLength="${length}" lengthAdjust="spacingAndGlyphs">${escaped(part[0])}</text>`;
  }).join("\n");
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
