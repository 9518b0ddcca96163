/**
 * Words of a half-typed bash command line, and how a completion is written into it.
 *
 * Nothing is expanded or executed: `$HOME` and `$(…)` stay text.
 *
 * @module
 */

/** An open quote, or none. */
type Quote = "" | "'" | '"';

/** A command line up to the cursor. */
export interface BashLine {
  /** The complete words before the cursor, unquoted, the program first. */
  readonly words: readonly string[];
  /** The word at the cursor, unquoted. */
  readonly current: string;
  /** Bash replaces `current` from here on: the rest is in an earlier word of its own (COMP_WORDBREAKS). */
  readonly replacedFrom: number;
  /** The quote that is open at the cursor. */
  readonly quote: Quote;
}

/** Characters of a word that need no quotes in any place of it. */
const PLAIN = /^[A-Za-z0-9_@%+:,./=^-]*$/;

/** Reads the line up to the cursor; `breaks` is COMP_WORDBREAKS. */
export function parseBashLine(line: string, breaks: string): BashLine {
  const words: string[] = [];
  let word: string | null = null;
  let quote: Quote = "";
  let replacedFrom = 0;
  for (let at = 0; at < line.length; at++) {
    const char = line[at] ?? "";
    const isEscape: boolean = char === "\\" &&
      (quote === "" || (quote === '"' && /[\\"$`]/.test(line[at + 1] ?? "")));
    if (isEscape) {
      at++;
      word = (word ?? "") + (line[at] ?? "");
    } else if (quote !== "") {
      if (char === quote) quote = "";
      else word = (word ?? "") + char;
    } else if (char === "'" || char === '"') {
      quote = char;
      word ??= "";
      replacedFrom = word.length;
    } else if (/[ \t\n]/.test(char)) {
      if (word !== null) words.push(word);
      [word, replacedFrom] = [null, 0];
    } else {
      word = (word ?? "") + char;
      if (breaks.includes(char)) replacedFrom = word.length - (isSpecialPrefix(char) ? 1 : 0);
    }
  }
  return { words, current: word ?? "", replacedFrom, quote };
}

/** Readline breaks words before these, not after them. */
function isSpecialPrefix(char: string): boolean {
  return char === "@" || char === "$";
}

/** `text` as bash text at the place of `quote`; `null` where it cannot be written there. */
export function quoteForBash(text: string, quote: Quote): string | null {
  if (quote === "'") return text.includes("'") ? null : text;
  // An exclamation mark is the history's also between double quotes.
  if (quote === '"') return text.includes("!") ? null : text.replaceAll(/[\\"$`]/g, "\\$&");
  if (PLAIN.test(text)) return text;
  return text.replaceAll(/[^A-Za-z0-9_@%+:,./=^-]/gu, "\\$&");
}
