import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { existsSync } from "node:fs";
import fc from "fast-check";
import { quote, quoteWord } from "../../src/executor/shell/quote.ts";
import { loginShellLine, shellText } from "../../src/executor/shell/shell_line.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { SEED } from "../helpers/seed.ts";
import { MACHINES } from "./machines.ts";

const COUNT = 10_000;
/** Keeps a command below the limit of one argument, even when every byte needs an escape. */
const BATCH_BYTES = 16 * 1024;

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

for (const { name, ignore, open } of MACHINES) {
  Deno.test({
    name: `quoteWord() passes 10,000 hostile words through a real sh byte for byte (${name})`,
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

Deno.test("quoteWord() leaves plain words readable and quotes all others", () => {
  assert.equal(quoteWord("/opt/hello-1.0.0/bin"), "/opt/hello-1.0.0/bin");
  assert.equal(quoteWord("user@host:22"), "user@host:22");
  assert.equal(quoteWord(""), "''");
  assert.equal(quoteWord("a'b"), `'a'"'"'b'`);
  for (const word of ["a b", "$x", "A=b", "if", "done", "2", "~", "*", "a\nb", "#x", "é"]) {
    assert.equal(quoteWord(word), `'${word}'`);
  }
  assert.equal(quote(["printf", "%s", "a b"]), "printf %s 'a b'");
});

Deno.test("quoteWord() refuses NUL and half a surrogate pair", () => {
  assert.throws(() => quoteWord("a\0b"), { code: "invalid_params" });
  assert.throws(() => quoteWord("\udc00"), { code: "invalid_params" });
});

Deno.test("shellText() and loginShellLine() put a command as documented", () => {
  const text = shellText({ argv: ["ls", "-l", "my dir"] }, { cwd: "-x", env: { A: "it's" } });
  assert.equal(text, `cd ./-x || exit 1\nexport A='it'"'"'s'\nexec ls -l 'my dir'`);
  assert.equal(
    loginShellLine("echo 'a!'\n"),
    String.raw`exec sh -c 'eval "$(printf %b "$@")"' sh 'echo \0047a\0041\0047\0012'`,
  );
});

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

for (const [shell, [program = "", ...options]] of Object.entries(SHELLS)) {
  const path = ["/bin", "/usr/bin", "/usr/local/bin"].find((dir) =>
    existsSync(`${dir}/${program}`)
  );
  if (path === undefined) {
    const hint = `skipped: the login shell ${shell} is missing: apt-get install ${program}\n`;
    Deno.stderr.writeSync(new TextEncoder().encode(hint));
  }
  Deno.test({
    name: `loginShellLine() is read the same by ${shell}`,
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
