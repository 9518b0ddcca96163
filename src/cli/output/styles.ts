/**
 * Marks for colours and line control: the only way to send control sequences to a terminal.
 *
 * Commands write marks through `Io`, which turns them into sequences and escapes every other control character. Marks
 * are random in each process, so text from outside cannot contain one.
 *
 * @module
 */
import { visible } from "../../util/terminal_text.ts";

const MARK = `\ufdd0${crypto.randomUUID()}`;
const MARKED = new RegExp(`${MARK}\\[(\\d+m|\\d+up|[a-z]+;)`);

/** Control sequences by the names of their marks. */
const CONTROLS = {
  line: "\r\x1b[K",
  rest: "\x1b[K",
  below: "\x1b[J",
  // A screen of its own without a cursor, as editors have it; and back to what was there.
  enter: "\x1b[?1049h\x1b[?25l",
  leave: "\x1b[?25h\x1b[?1049l",
  // What is drawn between these two appears at once, where the terminal knows them.
  begin: "\x1b[?2026h\x1b[H\x1b[K",
  end: "\x1b[?2026l",
  // Cleared before it is written: after a line as wide as the terminal, its last character would go.
  next: "\r\n\x1b[K",
  clear: "\x1b[2J",
} as const;

/** Begins to draw with an ANSI colour or weight; 0 ends it. */
export function style(code: number): string {
  return `${MARK}[${code}m`;
}

/** A control sequence by its name. */
export function control(name: keyof typeof CONTROLS): string {
  return `${MARK}[${name};`;
}

/** Clears the line and returns to its beginning. */
export const CLEAR_LINE: string = control("line");
/** Erases from the cursor to the end of the line. */
export const ERASE_REST: string = control("rest");
/** Erases from the cursor to the end of the screen. */
export const ERASE_BELOW: string = control("below");

/** Moves to the beginning of the line, and `lines` up from there. */
export function cursorUp(lines: number): string {
  return `${MARK}[${lines}up`;
}

/** `text` as it is seen: without marks. */
export function withoutStyles(text: string): string {
  return text.split(MARKED).filter((_, index) => index % 2 === 0).join("");
}

/** Text of a command as it is written: marks become control sequences, other controls are written out. */
export function drawn(text: string): string {
  return text.split(MARKED).map((part, index) => {
    if (index % 2 === 0) return visible(part, { keep: "\n\t" });
    if (part.endsWith("up")) return part === "0up" ? "\r" : `\r\x1b[${parseInt(part)}A`;
    return part.endsWith(";")
      ? CONTROLS[part.slice(0, -1) as keyof typeof CONTROLS]
      : `\x1b[${part}`;
  }).join("");
}
