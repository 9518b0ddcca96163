/** The table of the bench: its lines in a terminal, and the region of docs/benchmarks.md that a run writes. */
import { idOf, parsePath, type Row, type Target } from "./row.ts";
import type { Verdict } from "./stats.ts";

/** One judged target of a row. */
export interface Line {
  readonly row: Row;
  readonly target: Target;
  readonly verdict: Verdict;
  /** Said behind the outcome: what installs a missing peer, or why a measurement failed. */
  readonly note: string;
}

const HEADINGS = ["row", "figure", "ours", "peer", "ratio", "target", "outcome"];

/** A number in as many digits as mean something. */
export function shown(value: number, unit = ""): string {
  if (!Number.isFinite(value)) return "–";
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  const [whole = "", part] = value.toFixed(digits).split(".");
  const text = whole.replace(/\B(?=(\d{3})+$)/g, ",") + (part === undefined ? "" : `.${part}`);
  return unit === "" || unit.startsWith("/") ? `${text}${unit}` : `${text} ${unit}`;
}

/** What a target asks for, in signs. */
export function asked({ atLeast, atMost, unit, peer, takes }: Target): string {
  const of = peer === undefined ? unit : "";
  const limits = [
    ...(atLeast === undefined ? [] : [`≥ ${shown(atLeast, of)}`]),
    ...(atMost === undefined ? [] : [`≤ ${shown(atMost, of)}`]),
  ];
  if (limits.length === 0) return "–";
  return limits.join(", ") + (takes === "worst" ? " always" : "") +
    (peer === undefined ? "" : " ×");
}

/** The cells of a line, in the order of the headings. */
export function cells({ row, target, verdict, note }: Line): string[] {
  const { figure, peer, ratio, spread, rounds, outcome } = verdict;
  const name = target.peer === undefined ? "" : parsePath(target.peer).contender;
  const range = `${shown(spread[0])}–${shown(spread[1])}`;
  return [
    idOf(row),
    target.title,
    shown(figure, target.unit),
    peer === undefined ? name || "–" : `${name} ${shown(peer, target.unit)}`,
    ratio === undefined ? (rounds > 1 ? range : "–") : `${shown(ratio)} (${range})`,
    asked(target),
    note === "" ? outcome : `${outcome}: ${note}`,
  ];
}

/** The lines under each other, columns as wide as their longest cell. */
export function textTable(lines: readonly Line[]): string {
  const table = [HEADINGS, ...lines.map(cells)];
  const widths = HEADINGS.map((_, i) => Math.max(...table.map((row) => (row[i] ?? "").length)));
  return table.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ").trimEnd())
    .join("\n");
}

/** The same as Markdown. */
export function markdownTable(lines: readonly Line[]): string {
  return markdown(HEADINGS, lines.map(cells));
}

/** What limits each row, as Markdown. */
export function limitsTable(rows: readonly Row[]): string {
  return markdown(["row", "limited by"], rows.map((row) => [idOf(row), row.limit]));
}

/** A table formatted as `deno fmt` does. */
function markdown(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const escaped = rows.map((cells) => cells.map((cell) => cell.replaceAll("|", "\\|")));
  const table = [headings, ...escaped];
  const widths = headings.map((_, i) => Math.max(3, ...table.map((row) => (row[i] ?? "").length)));
  const text = (row: readonly string[], fill = " ") =>
    `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0, fill)).join(" | ")} |`;
  return [text(headings), text(headings.map(() => ""), "-"), ...escaped.map((row) => text(row))]
    .join("\n");
}

const BEGIN = "<!-- deno task bench: begin -->";
const END = "<!-- deno task bench: end -->";

/** The document with the region between the marks replaced; everything around it is kept. */
export function withRegion(document: string, region: string): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin < 0 || end < begin) {
    throw new Error(`Cannot write the table: the file has no lines "${BEGIN}" and "${END}"`);
  }
  return `${document.slice(0, begin + BEGIN.length)}\n\n${region.trim()}\n\n${document.slice(end)}`;
}
