import assert from "node:assert/strict";
import { quote, quoteWord } from "../../src/executor/shell/quote.ts";
import { loginShellLine, shellText } from "../../src/executor/shell/shell_line.ts";
import { LOCAL } from "./machines.ts";
import { testLoginShell, testRoundTrip } from "./quote_cases.ts";

Deno.test("quoteWord: quotes all but plain words", () => {
  assert.equal(quoteWord("/opt/hello-1.0.0/bin"), "/opt/hello-1.0.0/bin");
  assert.equal(quoteWord("user@host:22"), "user@host:22");
  assert.equal(quoteWord(""), "''");
  assert.equal(quoteWord("a'b"), `'a'"'"'b'`);
  for (const word of ["a b", "$x", "A=b", "if", "done", "2", "~", "*", "a\nb", "#x", "é"]) {
    assert.equal(quoteWord(word), `'${word}'`);
  }
  assert.equal(quote(["printf", "%s", "a b"]), "printf %s 'a b'");
});

Deno.test("quoteWord: refuses NUL and half a surrogate pair", () => {
  assert.throws(() => quoteWord("a\0b"), { code: "invalid_params" });
  assert.throws(() => quoteWord("\udc00"), { code: "invalid_params" });
});

Deno.test("shellText, loginShellLine: as documented", () => {
  const text = shellText({ argv: ["ls", "-l", "my dir"] }, { cwd: "-x", env: { A: "it's" } });
  assert.equal(text, `cd ./-x || exit 1\nexport A='it'"'"'s'\nexec ls -l 'my dir'`);
  assert.equal(
    loginShellLine("echo 'a!'\n"),
    String.raw`exec sh -c 'eval "$(printf %b "$@")"' sh 'echo \0047a\0041\0047\0012'`,
  );
});

testRoundTrip(LOCAL);
testLoginShell("sh");
