/**
 * Globs: `*` matches any run of characters, `?` exactly one, everything else itself. No character classes: an id may
 * hold the brackets of an IPv6 host.
 *
 * @module
 */

/** Whether `pattern` has a wildcard. */
export function isGlob(pattern: string): boolean {
  return pattern.includes("*") || pattern.includes("?");
}

/**
 * Compiles `pattern` to a predicate. A match takes at most `pattern.length * text.length` steps, whatever the pattern.
 *
 * @example Usage
 * ```ts
 * import assert from "node:assert/strict";
 * import { globMatcher } from "./glob.ts";
 *
 * assert.ok(globMatcher("api-*")("api-users"));
 * assert.ok(!globMatcher("web@host-?")("web@host-10"));
 * ```
 */
export function globMatcher(pattern: string): (text: string) => boolean {
  if (!isGlob(pattern)) return (text) => text === pattern;
  const parts = pattern.split("*");
  const least = parts.reduce((sum, part) => sum + part.length, 0);
  const first = parts.shift() ?? "";
  const last = parts.pop();
  if (last === undefined) return (text) => text.length === least && isAt(text, first, 0);
  const middle = parts.filter((part) => part !== "");
  return function matches(text: string): boolean {
    const end = text.length - last.length;
    if (text.length < least || !isAt(text, first, 0) || !isAt(text, last, end)) return false;
    let at = first.length;
    for (const part of middle) {
      at = indexOf(text, part, at);
      if (at < 0 || at + part.length > end) return false;
      at += part.length;
    }
    return true;
  };
}

/**
 * Whether `text` matches one of `patterns` and none of those that begin with `!`, ignoring case: the pattern lists of
 * ssh_config and known_hosts.
 */
export function matchesPatternList(text: string, patterns: readonly string[]): boolean {
  const lower = text.toLowerCase();
  let matched = false;
  for (const pattern of patterns) {
    const negated = pattern.startsWith("!");
    if (!globMatcher(pattern.slice(negated ? 1 : 0).toLowerCase())(lower)) continue;
    if (negated) return false;
    matched = true;
  }
  return matched;
}

const ANY_CHARACTER = "?".charCodeAt(0);

/** Whether `part`, in which `?` matches any character, is in `text` at an index. */
function isAt(text: string, part: string, at: number): boolean {
  for (let i = 0; i < part.length; i++) {
    const code = part.charCodeAt(i);
    if (code !== ANY_CHARACTER && code !== text.charCodeAt(at + i)) return false;
  }
  return true;
}

/** The first index from `from` on at which `part` is, or -1. */
function indexOf(text: string, part: string, from: number): number {
  if (!part.includes("?")) return text.indexOf(part, from);
  for (let at = from; at + part.length <= text.length; at++) {
    if (isAt(text, part, at)) return at;
  }
  return -1;
}
