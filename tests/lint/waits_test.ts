/** Waits of tests: one that a busy machine can miss makes a failure by luck. */
import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url);

/** A wait that is over before this is too short for a busy machine. */
const LEAST_WAIT_MS = 30_000;

/** A pause from here on is a wait; a shorter one lets others have their turn. */
const LEAST_PAUSE_MS = 10;

/** What a file may do that others may not, and why. */
const EXEMPT: ReadonlyMap<string, string> = new Map([
  ["tests/helpers/raw_client.ts", "owns the waits"],
  [
    "tests/helpers/remove_tree.ts",
    "removes what others still write in, also for programs that wait",
  ],
  ["tests/registry/lease_test.ts", "does something for a time that is longer than a lease"],
  ["tests/security/hostile_client_test.ts", "makes work that takes a time"],
  ["tests/security/uploads_test.ts", "sends for as long as it is taken"],
  ["tests/cli/completions_system_test.ts", "tries again what was too late"],
  ["tests/security/hostile_peers_system_test.ts", "what came too late is as good"],
  ["tests/security/listeners_system_test.ts", "tries again what was too late"],
]);

const NOW = String.raw`\b(?:performance|Date)\.now\(\)`;

/** Ways to write a deadline by hand, or to ask how long something took. A time that something expires at is a value. */
const CLOCKS: readonly RegExp[] = [
  new RegExp(String.raw`\b(?:let|const) (?!expir)\w+ = ${NOW} \+ `, "i"),
  /\b(?:let|const) \w*deadline\w* = [\w.]+ \+ /i,
  new RegExp(String.raw`${NOW} - \w+ <`),
  new RegExp(String.raw`\b\w+ > ${NOW} - \w`),
  new RegExp(String.raw`\b(?:let|const) (\w+) = ${NOW} - [\s\S]*?\b\1 < `),
];

/** Calls whose first argument is how long they wait, and those whose last one may be. */
const WAITS_FIRST = ["within", "AbortSignal.timeout"];
const WAITS_LAST = ["eventually", "until", "untilPasses"];

const NUMBER = String.raw`\d[\d_]*(?:\.\d+)?(?:e\d+)?`;
const FIRST = new RegExp(String.raw`^\s*(${NUMBER}(?: \* ${NUMBER})*)\s*(?:,|$)`);
const LAST = new RegExp(String.raw`,\s*(${NUMBER}(?: \* ${NUMBER})*)\s*,?\s*$`);
const PAUSE = new RegExp(String.raw`new Promise\(.*\bsetTimeout\(\w+, (${NUMBER})\)`);

/** The text without its comments; what is in strings stays. */
function withoutComments(text: string): string {
  return text.replace(/(^|\s)\/\*[\s\S]*?\*\//g, "$1").replace(/(^|\s)\/\/.*$/gm, "$1");
}

/** The calls of functions in `text`: the name with the object before it, and what is in the brackets. */
function* callsIn(text: string): Generator<{ name: string; args: string }> {
  for (const { 0: call, 1: name = "", index } of text.matchAll(/((?:\bAbortSignal\.)?\b\w+)\(/g)) {
    const start = index + call.length;
    let [depth, at] = [1, start];
    for (; depth > 0 && at < text.length; at++) {
      const char = text.charAt(at);
      if ("([{".includes(char)) depth++;
      else if (")]}".includes(char)) depth--;
    }
    yield { name, args: text.slice(start, at - 1) };
  }
}

/** `5_000`, `5e3` or `5 * 1000`. */
function valueOf(product: string): number {
  return product.split("*").reduce((all, part) => all * Number(part.replaceAll("_", "")), 1);
}

/** Pauses of which no comment beside them says why nothing can be waited for instead. */
function pausesIn(text: string): string[] {
  const lines = text.split("\n");
  return lines.filter((line, i) => {
    const ms = PAUSE.exec(line)?.[1];
    const isTold = line.includes("// ") || /^\s*(?:\/\/|\*\/|\/\*\*) ?/.test(lines[i - 1] ?? "");
    return ms !== undefined && valueOf(ms) >= LEAST_PAUSE_MS && !isTold;
  });
}

/** What can fail by luck in the text of a test, as far as the text shows it. */
function luckIn(text: string): string[] {
  const found = pausesIn(text).map((line) =>
    `${line.trim()}: wait for a condition, or say in a comment why there is none`
  );
  const code = withoutComments(text);
  if (CLOCKS.some((clock) => clock.test(code))) {
    found.push("a clock of its own: wait by eventually() or within() of tests/helpers");
  }
  for (const { name, args } of callsIn(code)) {
    const pattern = WAITS_FIRST.includes(name) ? FIRST : WAITS_LAST.includes(name) ? LAST : null;
    const ms = pattern?.exec(args)?.[1];
    if (ms !== undefined && valueOf(ms) < LEAST_WAIT_MS) found.push(`${name}, ${ms} ms: too short`);
    if (/^(?:listen|serve)/.test(name) && /\bport: [1-9]/.test(args)) {
      found.push("a fixed port: 0, or freePort() of tests/helpers");
    }
  }
  return found;
}

/** All of tests/ but what measures times, and this file. */
function* testFiles(dir: URL): Generator<URL> {
  for (const entry of Deno.readDirSync(dir)) {
    const url = new URL(entry.isDirectory ? `${entry.name}/` : entry.name, dir);
    if (entry.isDirectory && entry.name !== "bench") yield* testFiles(url);
    else if (entry.name.endsWith(".ts") && entry.name !== "waits_test.ts") yield url;
  }
}

const LUCKY: readonly string[] = [
  "const end = Date.now() + 10_000;",
  "let deadline = performance.now() + limit;",
  "const deadline = start + 2000;",
  "while (Date.now() - start < 2000) {}",
  "assert.ok(performance.now() - start < 5_000);",
  "const took = performance.now() - start;\nassert.ok(took < 5000);",
  "await new Promise((resolve) => setTimeout(resolve, 50));",
  "await within(5000, work, 'the end');",
  "await within(\n  5_000,\n  work,\n  'the end',\n);",
  "fetch(url, { signal: AbortSignal.timeout(1_000) })",
  "AbortSignal.timeout(5e3)",
  "AbortSignal.timeout(1 * 1000)",
  "await terminal.until(() => isThere(1, 2), 5_000);",
  "await eventually(() => done, 'it is done', 5_000);",
  "await untilPasses(\n  () => check(),\n  5_000,\n);",
  "Deno.listen({ hostname, port: 8080 })",
  "Deno.serve({ onListen() {}, port: 8080 }, handler)",
];

const SOUND: readonly string[] = [
  "await eventually(() => done, 'it is done');",
  "await eventually(() => count(1, 2), 'it is done', 120_000);",
  "await within(60_000, work, 'the end');",
  "await within(30 * 1000, work, 'the end');",
  "// not within(5 ms), nor eventually(done, 'it', 5)",
  "/** Like within(5, work, 'the end'). */",
  "AbortSignal.timeout(60_000)",
  "const expires = Date.now() + 60_000;",
  "assert.ok(performance.now() - start >= 100);",
  "// Nothing tells that no answer comes.\nawait new Promise((resolve) => setTimeout(resolve, 50));",
  "await new Promise((resolve) => setTimeout(resolve, 1));",
  "Deno.listen({ hostname, port: 0 })",
];

Deno.test("luckIn(): finds deadlines that a busy machine misses", () => {
  for (const text of LUCKY) assert.equal(luckIn(text).length, 1, text);
  for (const text of SOUND) assert.deepEqual(luckIn(text), [], text);
});

Deno.test("tests: no deadline that a busy machine misses", () => {
  const found: string[] = [];
  const needed = new Set<string>();
  for (const url of testFiles(new URL("tests/", ROOT))) {
    const file = url.href.slice(ROOT.href.length);
    const luck = luckIn(Deno.readTextFileSync(url));
    if (luck.length > 0 && EXEMPT.has(file)) needed.add(file);
    else found.push(...luck.map((one) => `${file}: ${one}`));
  }
  assert.deepEqual(found, []);
  assert.deepEqual([...EXEMPT.keys()].filter((file) => !needed.has(file)), [], "need no exemption");
});
