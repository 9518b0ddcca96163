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
const MARKED = new RegExp(`${MARK}\\[(\\d+m|line)`);

/** Begins to draw with an ANSI colour or weight; 0 ends it. */
export function style(code: number): string {
  return `${MARK}[${code}m`;
}

/** Clears the line and returns to its beginning. */
export const CLEAR_LINE = `${MARK}[line`;

/** Text of a command as it is written: marks become control sequences, other controls are written out. */
export function drawn(text: string): string {
  return text.split(MARKED).map((part, index) => {
    if (index % 2 === 0) return visible(part, { keep: "\n\t" });
    return part === "line" ? "\r\x1b[K" : `\x1b[${part}`;
  }).join("");
}
