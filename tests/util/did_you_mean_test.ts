import assert from "node:assert/strict";
import { nearestName, oneEditAway } from "../../src/util/did_you_mean.ts";

Deno.test("nearestName: the meant name, null when none is near", () => {
  const names = ["list_services", "get_service", "subscribe", "unsubscribe"];
  const cases: Array<[string, string | null]> = [
    ["list_service", "list_services"],
    ["listServices", "list_services"],
    ["LIST-SERVICES", "list_services"],
    ["sbuscribe", "subscribe"],
    ["unsubscrib", "unsubscribe"],
    ["sub", "subscribe"],
    ["su", null],
    ["", null],
    ["frobnicate", null],
    ["subscribe".repeat(8), null],
  ];
  for (const [word, nearest] of cases) assert.equal(nearestName(word, names), nearest, word);
});

/** The same by the definition, without short cuts. */
function distance(a: string, b: string): number {
  const d = (i: number, j: number): number => {
    if (i === 0 || j === 0) return i + j;
    const edited = Math.min(
      d(i - 1, j) + 1,
      d(i, j - 1) + 1,
      d(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1),
    );
    const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
    return swapped ? Math.min(edited, d(i - 2, j - 2) + 1) : edited;
  };
  return d(a.length, b.length);
}

Deno.test("nearestName: finds what a comparison of all finds", () => {
  const words = ["abba", "abab", "baba", "bbaa", "cabab", "ab", "babc", "acba", "bbbbb", "aacbb"];
  for (const word of words) {
    const others = words.filter((other) => other !== word);
    const least = Math.min(...others.map((other) => distance(word, other)));
    const nearest = nearestName(word, others);
    if (nearest?.startsWith(word) === true) continue;
    const expected = least <= 2 ? least : null;
    assert.equal(nearest && distance(word, nearest), expected, `${word}: ${nearest}`);
  }
});

Deno.test("oneEditAway: every word that one slip makes", () => {
  const words = new Set(oneEditAway("web-1"));
  for (const word of ["wb-1", "wbe-1", "wev-1", "web-12", "aweb-1", "web1"]) {
    assert.ok(words.has(word), word);
  }
  assert.deepEqual([...words].filter((word) => distance("web-1", word) > 1), []);
  assert.deepEqual([...oneEditAway("a".repeat(33))], [], "bounded");
});
