/**
 * Quoting for POSIX sh: the one place where words become shell text.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";

/** Words that mean something to sh although they hold only letters. */
const RESERVED: ReadonlySet<string> = new Set(
  "case coproc do done elif else esac fi for function if in select then time until while".split(
    " ",
  ),
);

/**
 * No quotes needed: holds nothing that sh, or a shell with more features, treats specially. Digits
 * alone are left out since `2` before `>` is a file descriptor, and `=` since `A=b` is an assignment.
 */
const PLAIN = /^(?!\d+$)[A-Za-z0-9_@%+:,./-]+$/;

/**
 * One word, quoted so that sh reads exactly the same bytes.
 *
 * @param word The word: any text without NUL.
 * @returns Shell text for it.
 * @throws {HarnessError} `invalid_params` for what no argument can hold: NUL, or half a surrogate pair.
 *
 * @example Usage
 * ```ts
 * import assert from "node:assert/strict";
 * import { quoteWord } from "./quote.ts";
 *
 * assert.equal(quoteWord("/opt/hello-1.0"), "/opt/hello-1.0");
 * assert.equal(quoteWord("it's"), `'it'"'"'s'`);
 * assert.equal(quoteWord(""), "''");
 * ```
 */
export function quoteWord(word: string): string {
  if (word.includes("\0")) {
    throw new HarnessError(
      "invalid_params",
      "Cannot pass an argument: it holds a NUL character, which no command can receive",
    );
  }
  if (!word.isWellFormed()) {
    throw new HarnessError(
      "invalid_params",
      "Cannot pass an argument: it holds half of a surrogate pair, which has no bytes in UTF-8",
    );
  }
  if (PLAIN.test(word) && !RESERVED.has(word)) return word;
  return `'${word.replaceAll("'", `'"'"'`)}'`;
}

/**
 * Words as one piece of shell text, each quoted by {@linkcode quoteWord} and joined by a space.
 *
 * @param words The words of a command, or some of them.
 * @returns Shell text for them.
 *
 * @example Usage
 * ```ts
 * import assert from "node:assert/strict";
 * import { quote } from "./quote.ts";
 *
 * assert.equal(quote(["mkdir", "-p", "/srv/my data"]), "mkdir -p '/srv/my data'");
 * ```
 */
export function quote(words: readonly string[]): string {
  return words.map(quoteWord).join(" ");
}
