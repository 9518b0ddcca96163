/**
 * Assembles sh text of `.sh` and `.awk` files: parts in the middle of a script, and values at its head.
 *
 * @module
 */
import { quoteWord } from "./quote.ts";

/**
 * Replaces each line `#include NAME` of `text` by the part of that name. For text that cannot be a function, since it
 * changes the positional parameters of its caller. To shellcheck such a line is a comment.
 *
 * @throws {Error} For a part that is missing, and for one that is included nowhere: a mistake in this program.
 */
export function include(text: string, parts: Readonly<Record<string, string>>): string {
  const unused = new Set(Object.keys(parts));
  const joined = text.replace(/^[ \t]*#include (\S+)$/gm, (_line, name: string) => {
    const part = parts[name];
    if (part === undefined) throw new Error(`Cannot assemble a script: there is no part ${name}`);
    unused.delete(name);
    return part.replace(/\n$/, "");
  });
  if (unused.size === 0) return joined;
  throw new Error(`Cannot assemble a script: it does not include ${[...unused].join(", ")}`);
}

/** Lines `name='value'` for the head of a script, for what is known here and not in the `.sh` file. */
export function assign(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values).map(([name, value]) => `${name}=${quoteWord(String(value))}\n`)
    .join("");
}
