import assert from "node:assert/strict";
import { localExecutor } from "../../src/executor/local.ts";
import { stdinScript } from "../../src/executor/shell/stdin_script.ts";

const LONG = `# ${'it\'s \\ a "long" comment $HOME `x` é '.repeat(1000)}\nprintf '%s|' "$@"\ncat\n`;

Deno.test("stdinScript: leaves the rest of stdin to the command", async () => {
  await using machine = localExecutor();
  const stream = () => new Blob(["a".repeat(100_000), "end"]).stream();
  for (const stdin of [undefined, "text", new TextEncoder().encode("bytes"), stream()]) {
    const sent = stdinScript(`set -- one 'two words'\n${LONG}`, stdin, "harness-nonce");
    const { stdout } = await machine.run({ script: sent.text }, { stdin: sent.stdin });
    const rest = stdin === undefined
      ? ""
      : typeof stdin === "string"
      ? "text"
      : stdin instanceof Uint8Array
      ? "bytes"
      : `${"a".repeat(100_000)}end`;
    assert.equal(stdout, `one|two words|${rest}`);
  }
});

Deno.test("stdinScript: takes a text that comes in pieces", async () => {
  await using machine = localExecutor();
  const sent = stdinScript(`printf '%s|' 'é\\ü\n'\n${LONG}`, "rest", "harness-nonce");
  assert.ok(sent.stdin instanceof Uint8Array);
  const bytes = sent.stdin;
  let at = 0;
  const stdin = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at += 9_001));
    },
  });
  const { stdout } = await machine.run({ script: sent.text }, { stdin });
  assert.equal(stdout, "é\\ü\n||rest");
});

Deno.test("stdinScript: runs nothing of a partial text", async () => {
  await using machine = localExecutor();
  const script = "echo ran; echo ran again";
  const sent = stdinScript(script, undefined, "harness-nonce");
  assert.ok(sent.stdin instanceof Uint8Array);
  for (let length = 0; length < sent.stdin.length; length += 1) {
    const stdin = sent.stdin.subarray(0, length);
    const { stdout, stderr, exitCode } = await machine.run({ script: sent.text }, { stdin });
    assert.deepEqual([exitCode, stdout], [1, ""]);
    assert.match(stderr, /cut off/);
  }
});
