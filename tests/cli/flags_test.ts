import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import { parseConfig } from "../../src/cli/flags/config_file.ts";
import {
  booleanFlag,
  choiceFlag,
  flagName,
  listFlag,
  readFlags,
  textFlag,
  valueFlag,
} from "../../src/cli/flags/flags.ts";
import { LIMIT_FLAGS, SERVE_FLAGS } from "../../src/cli/flags/serve_flags.ts";
import { integer } from "../../src/cli/flags/values.ts";

const TABLE = {
  maxThings: valueFlag<number>(
    "n",
    { env: "HARNESS_MAX_THINGS", help: "", fallback: 7 },
    integer(1),
  ),
  mode: choiceFlag(["one", "two"], { env: "HARNESS_MODE", help: "" }),
  loud: booleanFlag({ env: "HARNESS_LOUD", help: "" }),
  origin: listFlag("o", { env: "HARNESS_ORIGIN", help: "" }, (text) => text),
};

function read(given: Record<string, unknown>, env: Record<string, string> = {}, yaml = "") {
  const config = parseConfig(yaml, "h.yaml", TABLE);
  return readFlags(TABLE, given, { env: (name) => env[name], config });
}

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof HarnessError);
    assert.equal(error.code, "invalid_params");
    return error.message;
  }
  throw new Error("it was not refused");
}

Deno.test("readFlags: command line, environment, file, default", () => {
  const env = { HARNESS_MAX_THINGS: "3" };
  const yaml = "max-things: 4\nmode: two\n";
  assert.equal(read({ maxThings: "2" }, env, yaml).maxThings, 2);
  assert.equal(read({}, env, yaml).maxThings, 3);
  assert.equal(read({}, {}, yaml).maxThings, 4);
  assert.equal(read({}).maxThings, 7);
  assert.equal(read({}, {}, yaml).mode, "two");
  assert.equal(read({}).mode, "one");
});

Deno.test("readFlags: reads on/off words and refuses others", () => {
  assert.equal(read({}, { HARNESS_LOUD: "0" }).loud, false);
  assert.equal(read({}, { HARNESS_LOUD: "Yes" }).loud, true);
  assert.equal(read({ loud: true }).loud, true);
  assert.equal(read({}, {}, "loud: false").loud, false);
  assert.match(refusal(() => read({}, { HARNESS_LOUD: "2" })), /HARNESS_LOUD: "2" must be one of/);
});

Deno.test("readFlags: lists of the environment and of the file", () => {
  assert.deepEqual(read({}, { HARNESS_ORIGIN: "http://a, http://b" }).origin, [
    "http://a",
    "http://b",
  ]);
  assert.deepEqual(read({}, {}, "origin: [x, y]").origin, ["x", "y"]);
  assert.deepEqual(read({}, {}, "origin: x").origin, ["x"]);
  assert.deepEqual(read({ origin: ["z"] }, { HARNESS_ORIGIN: "q" }).origin, ["z"]);
});

Deno.test("readFlags: an error names the place of the value", () => {
  assert.match(refusal(() => read({ maxThings: "-1" })), /--max-things: "-1" must be a whole/);
  assert.match(refusal(() => read({}, { HARNESS_MODE: "3" })), /HARNESS_MODE: "3" must be one of/);
  assert.match(
    refusal(() => read({}, {}, "\nmax-things: x")),
    /h\.yaml:2:13: "max-things" must be .+; got "x"/,
  );
  assert.match(refusal(() => read({}, {}, "mode: [one, two]")), /h\.yaml:1:8: "mode" takes one/);
});

const FILE_TABLE = {
  listen: textFlag("host:port", { help: "" }),
  stateDir: textFlag("dir", { help: "" }),
  mode: TABLE.mode,
};

Deno.test("parseConfig: reports every mistake with its place", () => {
  const bad = (text: string) => refusal(() => parseConfig(text, "c.yaml", FILE_TABLE));
  assert.match(bad("a: 1\n"), /c\.yaml:1:1: unknown key "a"; allowed: listen, state-dir, mode/);
  assert.match(
    bad("\n\nstate_dir: x"),
    /c\.yaml:3:1: unknown key "state_dir", did you mean "state-dir"\?/,
  );
  assert.match(bad("listen: {host: x}"), /c\.yaml:1:9: "listen" must have a value/);
  assert.equal(
    bad("mode: [one, two]\nlsten: a\nstate-dir: {}\n"),
    `Cannot use the config file: 3 mistakes
c.yaml:1:8: "mode" takes one value, not a list
c.yaml:2:1: unknown key "lsten", did you mean "listen"?
c.yaml:3:12: "state-dir" must have a value`,
  );
  assert.match(bad("mode: tow"), /must be one of one, two, did you mean two\?; got "tow"/);
  assert.match(bad("listen:\n"), /"listen" must have a value/);
  assert.match(bad("- a\n"), /must be a map/);
  assert.match(bad("listen: a\nlisten: b"), /c\.yaml:2/);
  assert.match(bad("# ok\nlisten: }\n"), /c\.yaml:2:9: .+\n {4}listen: \}\n {12}\^/);
  assert.equal(parseConfig("# nothing\n", "c.yaml", FILE_TABLE).size, 0);
});

Deno.test("parseConfig: keeps the text of a value as it is written", () => {
  const values = parseConfig("listen: 0x10\nstate-dir: '1.0'", "c.yaml", FILE_TABLE);
  assert.deepEqual(values.get("listen")?.texts, ["0x10"]);
  assert.deepEqual(values.get("state-dir")?.texts, ["1.0"]);
});

Deno.test("serve flags: the environment name follows from the flag's", () => {
  for (const [key, flag] of Object.entries({ ...SERVE_FLAGS, ...LIMIT_FLAGS })) {
    const wanted = `HARNESS_${flagName(key).toUpperCase().replaceAll("-", "_")}`;
    assert.equal(flag.env, wanted);
  }
});

Deno.test("docs/cli.md: has every flag of serve and its variable", async () => {
  const docs = await Deno.readTextFile(new URL("../../docs/cli.md", import.meta.url));
  for (const [key, flag] of Object.entries({ ...SERVE_FLAGS, ...LIMIT_FLAGS })) {
    assert.ok(docs.includes(`\`--${flagName(key)}`), `--${flagName(key)} is not in docs/cli.md`);
    assert.ok(docs.includes(`\`${flag.env}\``), `${flag.env} is not in docs/cli.md`);
  }
});

Deno.test("readFlags: reports every wrong value at once", () => {
  const text = refusal(() => read({ maxThings: "x" }, { HARNESS_MODE: "tow" }));
  assert.match(text, /--max-things: "x" must be .+; Cannot use HARNESS_MODE: "tow" .+ mean two\?/);
});
