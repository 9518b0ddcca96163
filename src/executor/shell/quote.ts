/**
 * Quoting for POSIX sh.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";

/** Reserved words of sh. */
const RESERVED: ReadonlySet<string> = new Set(
  "case coproc do done elif else esac fi for function if in select then time until while".split(
    " ",
  ),
);

/**
 * Words that need no quotes in any shell. Digits alone are excluded since `2` before `>` is a file descriptor, and `=`
 * since `A=b` is an assignment.
 */
const PLAIN = /^(?!\d+$)[A-Za-z0-9_@%+:,./-]+$/;

/**
 * One word, quoted so that sh reads exactly the same bytes.
 *
 * @param word The word: any text without NUL.
 * @returns Shell text for it.
 * @throws {HarnessError} `invalid_params` for what no argument can contain: NUL, or half a surrogate pair.
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
      "Cannot pass an argument: it contains a NUL character",
    );
  }
  if (!word.isWellFormed()) {
    throw new HarnessError(
      "invalid_params",
      "Cannot pass an argument: it contains half of a surrogate pair, which UTF-8 cannot encode",
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
