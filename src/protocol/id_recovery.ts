/**
 * Finds the id of a request that is not valid JSON, so that its caller still gets the response.
 *
 * @module
 */
import { MAX_REQUEST_ID_LENGTH } from "./limits.ts";

/**
 * The value of the top-level key `"id"` in a broken JSON text, or `null`.
 *
 * A single pass over the characters: strings are skipped as a whole, brackets are counted, and only a
 * key directly inside the outermost object counts, so that an id inside `params` is never taken.
 */
export function salvageId(text: string): string | null {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === "{" || char === "[") depth++;
    else if (char === "}" || char === "]") depth--;
    else if (char === '"') {
      const end = endOfString(text, at);
      if (end === -1) return null;
      if (depth === 1 && text.slice(at, end + 1) === '"id"') {
        const value = /^\s*:\s*"/.exec(text.slice(end + 1, end + 64));
        if (value !== null) return readString(text, end + value[0].length);
      }
      at = end;
    }
  }
  return null;
}

/** Where the string that opens at `start` closes, or -1. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === '"') return at;
  }
  return -1;
}

/** The string whose opening quote is at `start`, or `null` when it is broken or too long to be an id. */
function readString(text: string, start: number): string | null {
  const end = endOfString(text, start);
  if (end === -1 || end - start > 2 * MAX_REQUEST_ID_LENGTH) return null;
  try {
    const value: unknown = JSON.parse(text.slice(start, end + 1));
    return typeof value === "string" && value.length <= MAX_REQUEST_ID_LENGTH ? value : null;
  } catch {
    return null; // a raw control character or a bad escape: nothing to salvage
  }
}
