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
const MARKED = new RegExp(`${MARK}\\[(\\d+m|line|\\d+up|rest|below)`);

const CONTROLS: Readonly<Record<string, string>> = {
  line: "\r\x1b[K",
  rest: "\x1b[K",
  below: "\x1b[J",
};

/** Begins to draw with an ANSI colour or weight; 0 ends it. */
export function style(code: number): string {
  return `${MARK}[${code}m`;
}

/** Clears the line and returns to its beginning. */
export const CLEAR_LINE = `${MARK}[line`;

/** Moves to the beginning of the line, and `lines` up from there. */
export function cursorUp(lines: number): string {
  return `${MARK}[${lines}up`;
}

/** Erases from the cursor to the end of the line. */
export const ERASE_REST = `${MARK}[rest`;
/** Erases from the cursor to the end of the screen. */
export const ERASE_BELOW = `${MARK}[below`;

/** `text` as it is seen: without marks. */
export function withoutStyles(text: string): string {
  return text.split(MARKED).filter((_, index) => index % 2 === 0).join("");
}

/** Text of a command as it is written: marks become control sequences, other controls are written out. */
export function drawn(text: string): string {
  return text.split(MARKED).map((part, index) => {
    if (index % 2 === 0) return visible(part, { keep: "\n\t" });
    if (part.endsWith("up")) return part === "0up" ? "\r" : `\r\x1b[${parseInt(part)}A`;
    return CONTROLS[part] ?? `\x1b[${part}`;
  }).join("");
}
