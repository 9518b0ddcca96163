import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { existsSync } from "node:fs";
import fc from "fast-check";
import { quote, quoteWord } from "../../src/executor/shell/quote.ts";
import { loginShellLine, shellText } from "../../src/executor/shell/shell_line.ts";
import { hostileWord } from "./quote_fixture.ts";

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
