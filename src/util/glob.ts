/**
 * The pattern lists of known_hosts and ssh_config: `*`, `?` and `!`, as in OpenSSH.
 *
 * @module
 */

/** Whether `text` matches `pattern`, in which `*` is any text and `?` any one character. */
export function matchesPattern(text: string, pattern: string): boolean {
  let at = 0;
  let star = -1;
  let resume = 0;
  let i = 0;
  // Greedy with one point to go back to: never more than |text| × |pattern| steps.
  while (i < text.length) {
    if (pattern[at] === "*") {
      star = at;
      at += 1;
      resume = i;
    } else if (at < pattern.length && (pattern[at] === "?" || pattern[at] === text[i])) {
      at += 1;
      i += 1;
    } else if (star >= 0) {
      at = star + 1;
      resume += 1;
      i = resume;
    } else {
      return false;
    }
  }
  while (pattern[at] === "*") at += 1;
  return at === pattern.length;
}

/** Whether `text` matches one of `patterns` and none of those that begin with `!`. Case does not count. */
export function matchesPatternList(text: string, patterns: readonly string[]): boolean {
  const lower = text.toLowerCase();
  let matched = false;
  for (const pattern of patterns) {
    const negated = pattern.startsWith("!");
    if (!matchesPattern(lower, pattern.slice(negated ? 1 : 0).toLowerCase())) continue;
    if (negated) return false;
    matched = true;
  }
  return matched;
}
