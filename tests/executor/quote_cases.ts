/** Hostile words through real shells: what the quick and the system tests of quoting share. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { existsSync } from "node:fs";
import fc from "fast-check";
import type { Executor } from "../../src/executor/executor.ts";
import { loginShellLine, shellText } from "../../src/executor/shell/shell_line.ts";
import { SEED } from "../helpers/seed.ts";
import type { Machine } from "./machines.ts";

/** Words made of what shells treat specially, of any text, and of things that broke somebody once. */
const hostileWord: fc.Arbitrary<string> = fc.oneof(
  fc.array(
    fc.constantFrom(
      ..."'\"\\`$(){}[]<>|&;*?!#~^%=-+@:,. \t\r\n\x01\x7f\x1b0a",
      "é",
      "日",
      "𝄞",
      "\u2028",
    ),
    { maxLength: 24 },
  ).map((units) => units.join("")),
  fc.string({ unit: "binary", maxLength: 24 }),
  fc.string({ unit: "grapheme", maxLength: 24 }),
  fc.constantFrom(
    "",
    "-n",
    "--",
    "-e\\n",
    "$(touch /tmp/harness-pwned)",
    "`touch /tmp/harness-pwned`",
    "'; touch /tmp/harness-pwned; '",
    "\\0101\\047",
    "a'b",
    "!!",
    "!$",
    "%s%n",
    "if",
    "2",
    "A=b",
    "~root",
    "\n\n",
    " ",
    "*",
    "\\",
    "'\"'\"'",
    "\u0081\u0082\u0088",
  ),
).map((word) => word.replaceAll("\0", "0")).filter((word) => word.isWellFormed());

const COUNT = 10_000;

/** Keeps a command below the limit of one argument, even when every byte needs an escape. */
const BATCH_BYTES = 16 * 1024;

function* batches(words: readonly string[]): Generator<string[]> {
  let batch: string[] = [];
  let bytes = 0;
  for (const word of words) {
    bytes += Buffer.byteLength(word) + 1;
    batch.push(word);
    if (bytes < BATCH_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

/** Passes every word through sh and compares the bytes that arrive. */
async function roundTrip(machine: Executor, words: readonly string[]): Promise<void> {
  for (const batch of batches(words)) {
    const chunks: Uint8Array[] = [];
    const { exitCode, stderr } = await machine.run(
      { script: String.raw`for word; do printf '%s\000' "$word"; done`, args: batch },
      { onStdout: (chunk) => chunks.push(chunk) },
    );
    assert.equal(exitCode, 0, stderr);
    const expected = Buffer.concat(batch.map((word) => Buffer.from(`${word}\0`)));
    if (Buffer.concat(chunks).equals(expected)) continue;
    const arrived = Buffer.concat(chunks).toString().split("\0");
    const index = batch.findIndex((word, i) => word !== arrived[i]);
    assert.equal(JSON.stringify(arrived[index]), JSON.stringify(batch[index]));
  }
}

/** Passes hostile words through one kind of machine. */
export function testRoundTrip({ name, ignore, open }: Machine): void {
  Deno.test({
    name: `quoteWord: 10,000 hostile words through sh (${name})`,
    ignore,
    fn: async () => {
      const words = fc.sample(hostileWord, { numRuns: COUNT, seed: SEED });
      assert.equal(words.length, COUNT);
      await using machine = await open();
      await roundTrip(machine.executor, words);
      assert.equal(existsSync("/tmp/harness-pwned"), false);
    },
  });
}

/** Login shells that read a quoted backslash, newline or exclamation mark each in their own way. */
const SHELLS: Record<string, string[]> = {
  sh: ["sh", "-c"],
  bash: ["bash", "-c"],
  zsh: ["zsh", "-c"],
  fish: ["fish", "-c"],
  tcsh: ["tcsh", "-c"],
  mksh: ["mksh", "-c"],
  busybox: ["busybox", "sh", "-c"],
};

/** Checks that a login shell, where it is installed, reads our line as sh does. */
export function testLoginShell(shell: string): void {
  const [program = "", ...options] = SHELLS[shell] ?? [];
  const path = ["/bin", "/usr/bin", "/usr/local/bin"].find((dir) =>
    existsSync(`${dir}/${program}`)
  );
  if (path === undefined) {
    const hint = `skipped: the login shell ${shell} is missing: apt-get install ${program}\n`;
    Deno.stderr.writeSync(new TextEncoder().encode(hint));
  }
  Deno.test({
    name: `loginShellLine: same text in ${shell}`,
    // A shell that is not installed cannot be anybody's login shell here.
    ignore: path === undefined,
    fn: async () => {
      const words = [...fc.sample(hostileWord, { numRuns: 300, seed: 7 }), "x".repeat(5000)];
      const script = String.raw`for word; do printf '%s\000' "$word"; done`;
      const line = loginShellLine(shellText({ script, args: words }));
      const { stdout, stderr } = await new Deno.Command(program, { args: [...options, line] })
        .output();
      const expected = Buffer.concat(words.map((word) => Buffer.from(`${word}\0`)));
      assert.equal(new TextDecoder().decode(stderr), "");
      assert.ok(Buffer.from(stdout).equals(expected));
    },
  });
}
