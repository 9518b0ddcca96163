/** Waits of tests: one that a busy machine can miss makes a failure by luck. */
import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url);

/** A wait that is over before this is too short for a busy machine. */
const LEAST_WAIT_MS = 30_000;

/** Files that measure a time, or end what they do after one; they wait for nothing by it. */
const MEASURING: readonly string[] = [
  "tests/registry/lease_test.ts",
  "tests/security/hostile_client_test.ts",
  "tests/security/uploads_test.ts",
];

/** Files in which what was too late is tried again, or is as good as what came. */
const FORGIVING: readonly string[] = [
  "tests/security/hostile_peers_system_test.ts",
  "tests/security/listeners_system_test.ts",
];

const HAND_WRITTEN = /\bconst \w+ = (?:performance|Date)\.now\(\) \+ /;
const SHORT = /\b(?:within|AbortSignal\.timeout)\((\d[\d_]*)\b/g;
const FIXED_PORT = /\b(?:listen|serve)\w*\(\{[^}]*\bport: [1-9]/;

/** What can fail by luck in the text of a test, as far as the text shows it. */
function luckIn(file: string, text: string): string[] {
  const found: string[] = [];
  if (HAND_WRITTEN.test(text) && !MEASURING.includes(file)) {
    found.push("a deadline of its own: wait by eventually() or within() of tests/helpers");
  }
  for (const [wait, ms = ""] of text.matchAll(SHORT)) {
    const isShort = Number(ms.replaceAll("_", "")) < LEAST_WAIT_MS;
    if (isShort && !FORGIVING.includes(file)) found.push(`${wait}…: too short`);
  }
  if (FIXED_PORT.test(text)) found.push("a fixed port: 0, or freePort() of tests/helpers");
  return found;
}

function* testFiles(dir: URL): Generator<URL> {
  for (const entry of Deno.readDirSync(dir)) {
    const url = new URL(entry.isDirectory ? `${entry.name}/` : entry.name, dir);
    if (entry.isDirectory && entry.name !== "bench") yield* testFiles(url);
    else if (entry.name.endsWith("_test.ts")) yield url;
  }
}

Deno.test("luckIn(): finds deadlines that a busy machine misses", () => {
  assert.deepEqual(luckIn("a", "await eventually(() => done, 'it is done');"), []);
  assert.deepEqual(luckIn("a", "await within(60_000, work, 'the end');"), []);
  assert.equal(luckIn("a", "const end = Date.now() + 10_000;").length, 1);
  assert.equal(luckIn("a", "const end = performance.now() + limit;").length, 1);
  assert.equal(luckIn("a", "await within(5000, work, 'the end');").length, 1);
  assert.equal(luckIn("a", "fetch(url, { signal: AbortSignal.timeout(1_000) })").length, 1);
  assert.equal(luckIn("a", "Deno.listen({ hostname, port: 8080 })").length, 1);
  assert.deepEqual(luckIn("a", "Deno.listen({ hostname, port: 0 })"), []);
});

Deno.test("tests: no deadline that a busy machine misses", () => {
  const found = [...testFiles(new URL("tests/", ROOT))].flatMap((url) => {
    const file = url.href.slice(ROOT.href.length);
    if (file === "tests/lint/waits_test.ts") return [];
    return luckIn(file, Deno.readTextFileSync(url)).map((luck) => `${file}: ${luck}`);
  });
  assert.deepEqual(found, []);
});
