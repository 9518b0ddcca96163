/** Text that attacks whatever shows it, and how to see that it failed. */
import assert from "node:assert/strict";

/**
 * Clears the screen, sets the title, answers back, turns the line around, forges a line, hides itself; as C0 and C1
 * controls, bidirectional and invisible characters, separators, and half a character.
 */
export const HOSTILE =
  "x\x1b[2J\x1b]0;title\x07\x1bP+q\x1b\\\r\nforged\x08\x7f\x9b31m\x85\u2028\u2029\u202e\u2066\u200f\u061c" +
  "\u200b\u00ad\ufeff\u{e0041}\ud800.";

/** The styles that are ours. */
// deno-lint-ignore no-control-regex -- they are what it is about
export const STYLE = /\x1b\[(?:0|1|2|31|32|33)m/g;

/** What a terminal would obey or hide, but for newlines and tabs. */
const UNSAFE =
  // deno-lint-ignore no-control-regex -- they are what it is about
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\p{Cs}\u{e0000}-\u{e007f}]/u;

/** Fails where `text` has what a terminal would obey, or where a line was forged. */
export function assertClean(text: string, what: string): void {
  const found = UNSAFE.exec(text);
  if (found !== null) {
    const around = JSON.stringify(text.slice(Math.max(0, found.index - 60), found.index + 20));
    assert.fail(`${what}: U+${found[0].codePointAt(0)?.toString(16)} in ${around}`);
  }
  assert.ok(!/^forged/m.test(text), `${what}: a line was forged: ${JSON.stringify(text)}`);
}
