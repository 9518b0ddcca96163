/**
 * One line for a host of a running deployment: `⠹ web1  upload  █████░░░░░  42 %  1.2MiB of 3MiB  9.8MiB/s  4s`.
 *
 * @module
 */
import { formatElapsed, formatSize } from "../../../util/units.ts";
import { visible } from "../../../util/terminal_text.ts";
import type { HostProgress } from "./host_progress.ts";
import { colorOf, paint } from "../table.ts";
import { padText, textWidth } from "../text_layout.ts";

/** Where the parts of the lines stand: the same for all hosts, so that they are columns. */
export interface LineLayout {
  /** Width of the line. */
  readonly columns: number;
  /** Width of the widest host name. */
  readonly hostWidth: number;
  /** Whether there may be colours. */
  readonly color: boolean;
  /** Whether the terminal shows more than ASCII. */
  readonly unicode: boolean;
}

const MARKS = {
  unicode: { moving: [..."⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"], ok: "✓", bad: "✗", idle: "·", full: "█", empty: "░" },
  ascii: { moving: [..."|/-\\"], ok: "+", bad: "x", idle: ".", full: "#", empty: "-" },
} as const;

/** Width of the longest step, and of all outcomes but one. */
const STATE_WIDTH = 11;
/** Width of `59m59s`. */
const TIME_WIDTH = 6;
/** In less there is room for the name and the step alone. */
const NARROWEST_LINE = 44;
/** A narrower bar shows nothing. */
const NARROWEST_BAR = 6;
const WIDEST_BAR = 24;
/** Less of a note says nothing. */
const SHORTEST_NOTE = 12;
/** Share of the line that names may take. */
const MOST_OF_LINE = 0.35;
const GAP = "  ";

/** The width of the column of hosts on a terminal. */
export function hostWidthFor(hosts: readonly string[], columns: number): number {
  const widest = hosts.reduce((width, host) => Math.max(width, textWidth(visible(host))), 4);
  return Math.min(widest, Math.floor(columns * MOST_OF_LINE));
}

/** The line of a host at the time `now`; `frame` moves what shows that it is alive. */
export function hostLine(
  host: HostProgress,
  layout: LineLayout,
  { now, frame }: { now: number; frame: number },
): string {
  const { columns, hostWidth, color } = layout;
  const word = stateOf(host);
  const hue = colorOf(word);
  if (columns < NARROWEST_LINE) {
    return cutText(`${markOf(host, layout, frame)} ${visible(host.host)} ${word}`, columns);
  }
  const name = padText(cutText(visible(host.host), hostWidth), hostWidth);
  const isMoving = host.endedAt === null && host.step !== null;
  const elapsed = host.elapsedMs(now);
  const time = elapsed === null ? "" : formatElapsed(elapsed);
  const state = padText(word, STATE_WIDTH);
  const used = 2 + hostWidth + GAP.length + state.length + GAP.length + TIME_WIDTH + GAP.length;
  const middle = middleOf(host, layout, columns - used);
  const parts = [
    `${paint(markOf(host, layout, frame), isMoving ? "cyan" : hue, color)} ${name}`,
    paint(state, hue, color),
    time.padStart(TIME_WIDTH),
    middle,
  ];
  return parts.join(GAP).trimEnd();
}

/** The step, or the outcome. */
function stateOf(host: HostProgress): string {
  if (host.endedAt !== null) return host.outcome ?? "done";
  return host.step ?? "waiting";
}

function markOf(host: HostProgress, { unicode }: LineLayout, frame: number): string {
  const marks = MARKS[unicode ? "unicode" : "ascii"];
  if (host.endedAt !== null) {
    if (host.outcome === "ok") return marks.ok;
    return host.outcome === "skipped" || host.outcome === null ? marks.idle : marks.bad;
  }
  if (host.step === null) return marks.idle;
  return marks.moving[frame % marks.moving.length] ?? "";
}

/** What fits into `room`: the bar and the bytes of a host that is under way, or why one failed. */
function middleOf(host: HostProgress, layout: LineLayout, room: number): string {
  if (host.step === null) return "";
  if (host.endedAt !== null && host.outcome !== "ok") return noteText(whyOf(host), layout, room);
  const numbers = [percentOf(host), ...bytesOf(host)];
  // First the sizes give way, then the bar, then the speed.
  const fits = (bar: number) => bar + widthOf(numbers) <= room;
  if (numbers.length > 2 && !fits(NARROWEST_BAR)) numbers.pop();
  const barWidth = fits(NARROWEST_BAR) ? Math.min(WIDEST_BAR, room - widthOf(numbers)) : 0;
  while (numbers.length > 1 && !fits(barWidth)) numbers.pop();
  const bar = barWidth === 0 ? "" : barOf(host, layout, barWidth);
  const shown = `${bar}${numbers.join(GAP)}`;
  if (host.bytes !== null || host.note === "" || host.endedAt !== null) return shown;
  const note = noteText(host.note, layout, room - barWidth - widthOf(numbers) - GAP.length);
  return note === "" ? shown : `${shown}${GAP}${note}`;
}

function whyOf({ failedStep, note }: HostProgress): string {
  if (failedStep === null) return note;
  return note === "" ? `at ${failedStep}` : `at ${failedStep}: ${note}`;
}

function noteText(text: string, { color }: LineLayout, width: number): string {
  return width < SHORTEST_NOTE ? "" : paint(cutText(visible(text), width), "dim", color);
}

/** `text` in at most `width` columns; what is cut here is whole in the report. */
export function cutText(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  let cut = "";
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (textWidth(cut + segment) > width - 1) break;
    cut += segment;
  }
  return `${cut}…`;
}

function widthOf(parts: readonly string[]): number {
  return textWidth(parts.join(GAP));
}

function percentOf(host: HostProgress): string {
  return `${Math.floor(host.share * 100)}%`.padStart(5);
}

/** Speed and sizes, most important first. */
function bytesOf({ bytes, speed, endedAt }: HostProgress): string[] {
  if (bytes === null || endedAt !== null) return [];
  const rate = speed === null ? "" : `${formatSize(Math.round(speed))}/s`;
  const of = bytes.total === null ? "" : ` of ${formatSize(bytes.total)}`;
  return [rate, `${formatSize(bytes.moved)}${of}`].filter((part) => part !== "");
}

function barOf(host: HostProgress, { unicode, color }: LineLayout, width: number): string {
  const { full, empty } = MARKS[unicode ? "unicode" : "ascii"];
  const filled = Math.min(width, Math.floor(host.share * width));
  const hue = host.failedStep === null ? "green" : "yellow";
  const rest = paint(empty.repeat(width - filled), "dim", color);
  return `${paint(full.repeat(filled), hue, color && filled > 0)}${rest}`;
}
