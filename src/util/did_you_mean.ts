/**
 * Suggestions for misspelled names.
 *
 * @module
 */

/** Longer words get no suggestion: no known name is near them, and comparing is quadratic. */
const MAX_COMPARED_LENGTH = 64;

/** The candidate nearest to `word`, or `null` when none is near enough to be meant. */
export function nearestName(word: string, candidates: readonly string[]): string | null {
  if (word.length === 0 || word.length > MAX_COMPARED_LENGTH) return null;
  const given = normalise(word);
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.ceil(given.length * 0.4)) + 1;
  for (const candidate of candidates) {
    const name = normalise(candidate);
    const begun = given.length > 2 && name.startsWith(given);
    const distance = begun ? 1 : editDistance(given, name);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `listServices`, `list-services` and `list_services` are the same word to a person. */
function normalise(word: string): string {
  return word.replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase().replaceAll(/[-. ]/g, "_");
}

/** Insertions, deletions, substitutions and swaps of neighbours between two words. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] &&
        a[row - 2] === b[column - 1];
      if (swapped) cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1);
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] ?? 0;
}
