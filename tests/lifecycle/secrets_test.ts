/** A service that prints its own secret must not bring it into what is reported of it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { HarnessError } from "../../src/errors.ts";
import { formatEnvFile, secretsIn } from "../../src/lifecycle/env_file.ts";
import { SecretFilter } from "../../src/lifecycle/secrets.ts";
import type { StateEvent } from "../../src/lifecycle/supervisor/events.ts";
import { Gate, health, Place } from "./fixture.ts";
import { service, Watcher } from "./watcher.ts";
import { untilPasses } from "../helpers/raw_client.ts";

const SECRET = 'it\'s "canary" $1 \\ 5f1c\nsecond-canary-line';

/** A place with an env file whose TOKEN is a secret, and whose PLAIN is not. */
function withSecret(place: Place): { envFile: string } {
  const envFile = place.path("env");
  const text = formatEnvFile({ PLAIN: "nothing special", TOKEN: SECRET }, new Set(["TOKEN"]));
  Deno.writeTextFileSync(envFile, text, { mode: 0o600 });
  return { envFile };
}

Deno.test("secretsIn: finds what formatEnvFile marked", () => {
  const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/);
  const value = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom("'", "# secret\nA='b'\n", "a\n# secret", "'\"'\"'", "x='y'"),
  ).map((text) => text.replaceAll("\0", ""));
  fc.assert(fc.property(fc.dictionary(name, value), (env) => {
    const all = new Set(Object.keys(env));
    assert.deepEqual(secretsIn(formatEnvFile(env, all)), Object.values(env));
  }));
  // A host may send anything; each of these lines once kept the whole process busy for ever.
  for (const end of ["\r", "\r\n", "\u2028", "\u2029\n", "\x85"]) {
    const text = `x${end}${formatEnvFile({ C: "d" }, new Set(["C"]))}`;
    assert.deepEqual(secretsIn(`x\n${end}`), []);
    assert.deepEqual(secretsIn(text), end.endsWith("\n") ? ["d"] : []);
  }
  const plain = formatEnvFile({ A: "x\n# secret\nB='y", C: "d" }, new Set(["C"]));
  assert.deepEqual(secretsIn(`OTHER=words\n${plain}`), ["d"]);
  assert.deepEqual(secretsIn(formatEnvFile({ A: "b", C: "d" })), []);
  assert.deepEqual(secretsIn(formatEnvFile({ A: "b", C: "d" }, new Set(["C"]))), ["d"]);
});

/** How often the service came up. */
const runs = (watcher: Watcher) =>
  watcher.states("api").filter((state) => state === "running").length;

Deno.test("Supervisor: no secret in crash and start reports", async () => {
  await using place = new Place();
  await using watcher = new Watcher();
  const { supervisor } = watcher;
  const gate = new Gate(place);
  const spec = place.shell("api", `${gate.wait}; echo "my token is $TOKEN"; exit 3`, {
    ...withSecret(place),
    restart: { policy: "on-failure", maxRetries: 1, backoffMs: 50 },
  });
  await supervisor.watch(service(spec), { running: false });
  await supervisor.start("api");
  gate.open();
  await untilPasses(() => assert.equal(runs(watcher), 2));
  gate.open();
  await untilPasses(() => assert.equal(watcher.of("gave_up").length, 1));

  const short = place.shell("short", 'echo "$PLAIN: $TOKEN"; exit 4', withSecret(place));
  await supervisor.watch(service(short), { running: false });
  const error = await supervisor.start("short").then(() => assert.fail("it works"), (e) => e);
  assert.ok(error instanceof HarnessError);
  assert.equal(error.details?.["exit_code"], 4);
  assert.deepEqual((error.details?.["log"] as string[])[0], "nothing special: [REDACTED]");

  const said = JSON.stringify([watcher.events, error.message, error.details]);
  assert.match(said, /my token is \[REDACTED\]/);
  assert.ok(!said.includes("canary"), said);
});

Deno.test("Supervisor: a crash reports the log of its last run only", async () => {
  await using place = new Place();
  await using watcher = new Watcher();
  const { supervisor } = watcher;
  const gate = new Gate(place);
  const crashing = (file: string, secret: string) => {
    const envFile = place.path(file);
    Deno.writeTextFileSync(envFile, formatEnvFile({ TOKEN: secret }, new Set(["TOKEN"])));
    return place.shell("api", `echo "token $TOKEN"; ${gate.wait}; echo "that was it"; exit 3`, {
      envFile,
    });
  };
  for (const [file, secret] of [["one", "first-canary"], ["two", "second-canary"]] as const) {
    await supervisor.watch(service(crashing(file, secret)), { running: false });
    await supervisor.start("api");
    gate.open();
    await untilPasses(() => assert.equal(watcher.states("api").at(-1), "failed"));
  }
  const logs = watcher.of("state").filter((e) => e.state === "failed").map((e) => e.log);
  assert.deepEqual(logs, [["token [REDACTED]", "that was it"], [
    "token [REDACTED]",
    "that was it",
  ]]);
  const controller = await supervisor.controller("api");
  assert.equal((await controller.logs(20)).length, 4, "the log itself has both runs");
});

Deno.test("Supervisor: no secret in health reports", async () => {
  await using place = new Place();
  await using watcher = new Watcher();
  const check = place.script("health.sh", '#!/bin/sh\necho "refused: $TOKEN"\nexit 2\n');
  const spec = place.shell("api", "while :; do sleep 0.2; done", {
    ...withSecret(place),
    health: health({ type: "script", script: check }, { retries: 1 }),
  });
  await watcher.supervisor.watch(service(spec), { running: false });
  await watcher.supervisor.start("api");
  await untilPasses(() => assert.ok(watcher.of("health").length > 0));
  await watcher.supervisor.stop("api");
  const said = JSON.stringify(watcher.of("health"));
  assert.match(said, /refused: \[REDACTED\]/);
  assert.ok(!said.includes("canary"), said);
});

Deno.test("SecretFilter: withholds text while secrets are unreadable", async () => {
  const filter = new SecretFilter(() => Promise.reject(new Error("no connection")), "/env");
  const event: StateEvent = {
    type: "state",
    id: "api",
    state: "failed",
    reason: "canary",
    cause: "observed",
    status: null,
    log: ["canary"],
  };
  const { reason, log, id, state } = await filter.event(event);
  assert.deepEqual([id, state, log], ["api", "failed", []]);
  assert.match(reason, /^\[withheld, .*no connection/);
  const error = await filter.error(
    new HarnessError("unavailable", "canary", { details: { reason: "timeout", log: ["canary"] } }),
  );
  assert.ok(error instanceof HarnessError);
  assert.deepEqual([error.code, error.details], ["unavailable", { reason: "timeout" }]);
  assert.ok(!error.message.includes("canary"));
  const away = new HarnessError("unreachable", "Cannot reach web1: connection refused");
  assert.equal(await filter.error(away), away);
  const started: StateEvent = { ...event, state: "running", log: [] };
  assert.deepEqual(await filter.event(started), started);
});
