/**
 * Escapes text from outside for a terminal or JSON: control characters and invisible characters.
 *
 * @module
 */

/**
 * Controls (C0, DEL, C1), format characters (bidirectional controls, zero-width and tag characters, byte order marks),
 * line and paragraph separators, lone surrogates, and invisible letters.
 */
const UNSAFE = String
  .raw`[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0]`;
/** Most text that is shown. Of its characters only line ends and tabs are unsafe. */
const PLAIN = /^[ -~\n\t]*$/;

/** Made at the first text that needs it: the classes of Unicode take as long as all else that a short text does. */
let unsafe: RegExp | undefined;

function unsafeIn(text: string): RegExp {
  return PLAIN.test(text) ? /[\n\t]/g : unsafe ??= new RegExp(UNSAFE, "gu");
}

/** Options for {@linkcode visible}. */
export interface VisibleOptions {
  /** Characters that are not escaped, such as `"\t"` in a log line. @default {""} */
  keep?: string;
}

/**
 * Escapes `text` for a terminal or a line of text as `\x1b`, `\u202e` or `\u{e0001}`. All text from outside that is
 * shown must pass through it.
 *
 * @example Usage
 * ```ts
 * import assert from "node:assert/strict";
 * import { visible } from "./terminal_text.ts";
 *
 * assert.equal(visible("a\x1b[2Jb\u202ec"), "a\\x1b[2Jb\\u202ec");
 * ```
 */
export function visible(text: string, options: VisibleOptions = {}): string {
  const { keep = "" } = options;
  return text.replace(unsafeIn(text), (c) => keep.includes(c) ? c : escaped(c));
}

function escaped(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  if (code <= 0xff) return `\\x${hex.padStart(2, "0")}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, "0")}` : `\\u{${hex}}`;
}

/** JSON of a value that is safe to show: the same value, with every character escaped that {@linkcode visible} escapes. */
export function jsonText(value: unknown): string {
  const text: string | undefined = JSON.stringify(value);
  // Outside of strings JSON has none of these.
  return text?.replace(unsafeIn(text), jsonEscape) ?? "null";
}

function jsonEscape(char: string): string {
  let text = "";
  for (let at = 0; at < char.length; at++) {
    text += `\\u${char.charCodeAt(at).toString(16).padStart(4, "0")}`;
  }
  return text;
}
