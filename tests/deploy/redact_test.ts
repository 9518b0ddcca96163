import assert from "node:assert/strict";
import fc from "fast-check";
import { HarnessError } from "../../src/errors.ts";
import { cancelError } from "../../src/deploy/failure.ts";
import { redactor } from "../../src/util/redact.ts";
import { Bench, run } from "./support.ts";

/** With all that shells, JSON and log lines do to a text. */
const SECRET = 'it\'s "canary" $1 \\ 5f1c\nsecond-canary-line';

Deno.test("redactor(): a secret like its placeholder terminates", () => {
  for (
    const secret of ["REDACTED]x", "xx[REDACTED", "[REDACTED]", "DACTED…", "[REDACTED][REDACTED]"]
  ) {
    for (const text of ["abcREDACTED]", "[REDACTED", `a${secret}b`, secret, "[REDACTED]…x", "…"]) {
      assert(redactor([secret])(text).length < 60, `${secret} in ${text}`);
    }
  }
  assert.equal(redactor(["REDACTED]x"])("abcREDACTED]"), "abc[REDACTED]");
});

Deno.test("redactor(): no secret is left, and texts stay small", () => {
  const chars = fc.constantFrom(..."RED[]…\u2028\r\n\0a ", "\ud800");
  const words = fc.string({ unit: chars, minLength: 0, maxLength: 12 });
  fc.assert(fc.property(fc.array(words, { maxLength: 6 }), fc.array(words), (secrets, texts) => {
    const long = secrets.filter((secret) => secret.length >= 4);
    const text = [...texts, ...secrets].join("");
    const hidden = redactor(secrets)(text);
    assert(hidden.length <= 10 * text.length);
    // Between the marks: a mark itself may look like a secret.
    for (const rest of hidden.split("[REDACTED]")) {
      if (text.includes("[REDACTED]")) return;
      for (const secret of long) assert(!rest.includes(secret), JSON.stringify({ text, secret }));
    }
  }));
});

Deno.test("redactor(): hostile secrets and texts cost little", () => {
  // Each of them took minutes, or did not end, when every piece was looked at: the suite would not end.
  const periodic = `${"a".repeat(1_000_000)}b`;
  assert.match(redactor([periodic])(`${"a".repeat(500_000)}c`), /REDACTED/);
  assert.equal(redactor(["x\n".repeat(8_000_000)])("some text"), "[REDACTED]");
  assert.equal(redactor(Array.from({ length: 20_000 }, (_, i) => `s-${i}`))("text"), "[REDACTED]");
  assert.equal(redactor([periodic])("some text"), "some text");
});

Deno.test("redactor(): hides secrets whole, in lines and as JSON", () => {
  const hide = redactor([SECRET, "canary-canary", "on", "canary"]);
  const given = {
    log: ["a second-canary-line b", `token it's "canary" $1 \\ 5f1c`, JSON.stringify(SECRET)],
    health: { output: "canary-canary", at: 3, none: null },
    on: "on",
  };
  const text = JSON.stringify(hide(given));
  assert(!text.includes("canary"), text);
  assert.match(text, /"on":"on"/);
  assert.match(text, /"at":3,"none":null/);
  assert.equal(hide("canary-canary"), "[REDACTED]");
  // Cut in the middle, by whoever shortened it or split a line that was too long.
  assert.equal(hide("x canary-cana"), "x [REDACTED]");
  assert.equal(hide("1/3 failed: canary-ca…; it ended"), "1/3 failed: [REDACTED]…; it ended");
  assert.equal(hide("y-canary and more"), "[REDACTED] and more");
  assert.equal(hide("x can"), "x can");
  const same = { a: "b" };
  assert.equal(redactor(["on"])(same), same);
});

for (const how of ["exits", "is never healthy"] as const) {
  Deno.test(`deploy(): a printed secret is redacted (${how})`, async () => {
    await using bench = new Bench();
    const yaml = "env: {TOKEN: {secret: true}}\n" +
      "health: {script: scripts/health.sh, timeout: 2s, retries: 1, interval: 200ms}\n";
    const start = how === "exits"
      ? '#!/bin/sh\necho "token is $TOKEN"\nexit 9\n'
      : '#!/bin/sh\necho "token is $TOKEN"\nwhile :; do sleep 0.2; done\n';
    const source = await bench.makePackage({
      yaml,
      start,
      files: { "scripts/health.sh": '#!/bin/sh\necho "no use of $TOKEN"\nexit 2\n' },
    });
    const plan = bench.plan(source, { secrets: { TOKEN: SECRET }, healthTimeoutMs: 2000 });
    const { events, result, host } = await run(plan);
    assert.equal(host.outcome, "failed");
    const said = JSON.stringify([events, result]);
    assert.match(said, /\[REDACTED\]/);
    assert(!said.includes("canary"), said);
    assert(!Deno.readTextFileSync(`${bench.base()}/state.json`).includes("canary"));
  });
}

Deno.test("rollback: a secret of an earlier release is redacted", async () => {
  await using bench = new Bench();
  const flag = `${bench.dir}/broken`;
  const one = await bench.makePackage({
    start: `#!/bin/sh\n[ ! -e ${flag} ] || { echo "token is $TOKEN"; exit 9; }\n` +
      "while :; do sleep 0.2; done\n",
  });
  assert.equal((await run(bench.plan(one, { secrets: { TOKEN: SECRET } }))).host.outcome, "ok");
  assert.equal(
    (await run(bench.plan(await bench.makePackage({ version: "2.0.0" })))).host.outcome,
    "ok",
  );
  Deno.writeTextFileSync(flag, "");
  const { events, result, host } = await run(bench.rollback());
  assert.equal(host.outcome, "rolled_back");
  const said = JSON.stringify([events, result]);
  assert.match(said, /token is \[REDACTED\]/);
  assert(!said.includes("canary"), said);
});

Deno.test("deploy(): cancelled with any reason, without advice", async () => {
  assert.equal(cancelError(new HarnessError("unavailable", "x")).code, "unavailable");
  assert.equal(cancelError(new DOMException("late", "TimeoutError")).code, "timeout");
  assert.equal(cancelError("enough").code, "cancelled");
  await using bench = new Bench();
  const source = await bench.makePackage({ start: "#!/bin/sh\nwhile :; do sleep 0.2; done\n" });
  const cancel = new AbortController();
  const { host } = await run(bench.plan(source), {
    signal: cancel.signal,
    onEvent: (event) => {
      if (event.step === "health" && event.status === "started") {
        cancel.abort(new Error("Interrupted by SIGINT"));
      }
    },
  });
  assert.equal(host.outcome, "cancelled");
  assert.deepEqual([host.error?.code, host.error?.message], [
    "cancelled",
    "Cannot continue: Interrupted by SIGINT",
  ]);
  assert.equal(host.error?.details?.["next"], undefined);
  bench.assertClean();
});
