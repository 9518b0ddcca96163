/**
 * Suggestions for misspelled names.
 *
 * @module
 */

/** Longer words get no suggestion: no known name is near them, and comparing is quadratic. */
const MAX_COMPARED_LENGTH = 64;

/** The candidate nearest to `word`, or `null` when none is near enough to be meant. */
export function nearestName(word: string, candidates: Iterable<string>): string | null {
  if (word.length === 0 || word.length > MAX_COMPARED_LENGTH) return null;
  const given = normalise(word);
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.ceil(given.length * 0.4)) + 1;
  for (const candidate of candidates) {
    const name = normalise(candidate);
    const begun = given.length > 2 && name.startsWith(given);
    const distance = begun ? 1 : editDistance(given, name, bestDistance);
    if (distance >= bestDistance) continue;
    best = candidate;
    bestDistance = distance;
  }
  return best;
}

/** `listServices`, `list-services` and `list_services` are the same word to a person. */
function normalise(word: string): string {
  const lower = /[A-Z]/.test(word)
    ? word.replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase()
    : word;
  return lower.replaceAll(/[-. ]/g, "_");
}

/** Longer words have too many neighbours to look all of them up. */
const MAX_EDITED_LENGTH = 32;
const LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-._";

/** The words that are one insertion, deletion, substitution or swap of neighbours away: some 80 for each letter. */
export function* oneEditAway(word: string): Generator<string> {
  if (word.length > MAX_EDITED_LENGTH) return;
  for (let at = 0; at <= word.length; at++) {
    const [before, after] = [word.slice(0, at), word.slice(at)];
    yield before + after.slice(1);
    yield before + after.slice(1, 2) + after.slice(0, 1) + after.slice(2);
    for (const letter of LETTERS) {
      yield before + letter + after;
      yield before + letter + after.slice(1);
    }
  }
}

let rows = [new Uint16Array(0), new Uint16Array(0), new Uint16Array(0)] as const;

/**
 * Insertions, deletions, substitutions and swaps of neighbours between two words, or `limit` when there are at least so
 * many.
 */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let same = 0;
  while (same < a.length && a.charCodeAt(same) === b.charCodeAt(same)) same++;
  if (same > 0) return editDistance(a.slice(same), b.slice(same), limit);
  if (rows[0].length <= b.length) {
    const length = 2 * b.length + 1;
    rows = [new Uint16Array(length), new Uint16Array(length), new Uint16Array(length)];
  }
  // Three rows of the table, in turn: the present one, and the two above it.
  let [current, last, beforeLast] = rows;
  let leastAbove = 0;
  for (let column = 0; column <= b.length; column++) current[column] = column;
  for (let row = 1; row <= a.length; row++) {
    const above = last;
    last = current;
    current = beforeLast;
    beforeLast = above;
    let least = current[0] = row;
    for (let column = 1; column <= b.length; column++) {
      const isSame = a.charCodeAt(row - 1) === b.charCodeAt(column - 1);
      let cost = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (isSame ? 0 : 1),
      );
      const swapped = row > 1 && column > 1 &&
        a.charCodeAt(row - 1) === b.charCodeAt(column - 2) &&
        a.charCodeAt(row - 2) === b.charCodeAt(column - 1);
      if (swapped) cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1);
      current[column] = cost;
      if (cost < least) least = cost;
    }
    // A swap reaches back over one row.
    if (least >= limit && leastAbove >= limit) return limit;
    leastAbove = least;
  }
  return Math.min(current[b.length] ?? 0, limit);
}
