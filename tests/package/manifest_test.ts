import assert from "node:assert/strict";
import fc from "fast-check";
import { HarnessError } from "../../src/errors.ts";
import type { FileIssue } from "../../src/util/file_issues.ts";
import { parseManifest } from "../../src/package/manifest/parse.ts";
import { visible } from "../../src/util/terminal_text.ts";
import { SEED } from "../helpers/seed.ts";

const HEAD = "name: hello\nversion: 1.0.0\n";

/** The lines of the error that `text` gives, without the sentence before them. */
function problems(text: string): string[] {
  try {
    parseManifest(text, "manifest.yaml");
  } catch (error) {
    assert(error instanceof HarnessError, String(error));
    assert.equal(error.code, "package_invalid");
    assert.equal(error.details?.["reason"], "manifest");
    const issues = error.details?.["issues"] as FileIssue[];
    const listed = error.message.replace(/^Cannot read the manifest: (?:\d+ mistakes\n)?/, "");
    for (const issue of issues) {
      assert(listed.includes(`:${issue.line}:${issue.column}: ${visible(issue.message)}`), listed);
    }
    // Without the excerpts of the file.
    return listed.split("\n").filter((line) => !line.startsWith(" "));
  }
  return [];
}

/** Asserts that the one problem of `text` is at `line:column` and says `words`. */
function assertProblem(text: string, place: string, words: RegExp): void {
  const [first = "", ...others] = problems(text);
  assert.deepEqual(others, [], text);
  assert(first.startsWith(`manifest.yaml:${place}: `), `${first}\n${text}`);
  assert.match(first, words);
}

Deno.test("parseManifest: applies every default", () => {
  assert.deepEqual(parseManifest(HEAD), {
    name: "hello",
    version: "1.0.0",
    description: "",
    service: {
      type: "managed_process",
      start: "foreground",
      user: null,
      ports: [],
      image: null,
      unit: null,
      hardening: {},
    },
    env: {},
    dependsOn: [],
    requires: { commands: [], libraries: [], arch: [] },
    health: null,
    restart: { policy: "on-failure", maxRetries: 5, backoffMs: 1000 },
    stop: { signal: "TERM", timeoutMs: 10_000 },
  });
});

Deno.test("parseManifest: hardening is on, off, or single settings", () => {
  const of = (value: string) => parseManifest(`${HEAD}service: {hardening: ${value}}\n`).service;
  assert.deepEqual(of("true").hardening, {});
  assert.equal(of("false").hardening, false);
  assert.deepEqual(of("{private_tmp: false, protect_clock: true}").hardening, {
    private_tmp: false,
    protect_clock: true,
  });
  assert.throws(() => of("{private_tpm: false}"), /did you mean "private_tmp"/);
  assert.throws(() => of("{private_tmp: maybe}"), /private_tmp must be true or false/);
  assert.throws(() => of("no thanks"), /service\.hardening must be true, false, or a mapping/);
  const unit = `${HEAD}service: {type: systemd_service, hardening: false}\n`;
  assert.throws(() => parseManifest(unit), /only for managed_process, not for systemd_service/);
});

Deno.test("parseManifest: reads every key", () => {
  const manifest = parseManifest(`
name: api-server
version: 1.2.3-rc.1+b5
description: REST API server
x-owner: {team: [a, b]}
service:
  type: docker_container
  start: daemon
  user: api
  image: registry.local:5000/api@sha256:${"0".repeat(64)}
  ports:
    - {name: http, port: 8080, protocol: http, x-note: 1}
    - name: raw
      port: 9000
env:
  LOG_LEVEL: info
  RATIO: 1.10
  DEBUG: true
  OCTAL: 0755
  TOKEN: {required: true, secret: true}
  LIMIT: {default: 2.50}
depends_on: [postgres, redis]
requires: {commands: [/usr/bin/curl], libraries: [libpq.so.5], arch: [x86_64]}
health: {http: {port: http, path: /healthz, status: 204, body: ok}, interval: 1m, timeout: 500ms, retries: 2, successes: 4, start_period: 1h}
restart: {policy: "no", max_retries: 0, backoff: 1.5s}
stop: {signal: SIGINT, timeout: 3s}
`);
  assert.deepEqual(manifest.service, {
    type: "docker_container",
    start: "daemon",
    user: "api",
    image: `registry.local:5000/api@sha256:${"0".repeat(64)}`,
    unit: null,
    hardening: {},
    ports: [
      { name: "http", port: 8080, protocol: "http" },
      { name: "raw", port: 9000, protocol: "tcp" },
    ],
  });
  const plain = { required: false, secret: false };
  assert.deepEqual(manifest.env, {
    LOG_LEVEL: { value: "info", ...plain },
    RATIO: { value: "1.10", ...plain },
    DEBUG: { value: "true", ...plain },
    OCTAL: { value: "0755", ...plain },
    TOKEN: { value: null, required: true, secret: true },
    LIMIT: { value: "2.50", ...plain },
  });
  assert.deepEqual(manifest.health, {
    probe: { type: "http", port: "http", path: "/healthz", status: [204], body: "ok" },
    intervalMs: 60_000,
    timeoutMs: 500,
    retries: 2,
    successes: 4,
    startPeriodMs: 3_600_000,
  });
  assert.deepEqual(manifest.restart, { policy: "no", maxRetries: 0, backoffMs: 1500 });
  assert.deepEqual(manifest.stop, { signal: "INT", timeoutMs: 3000 });
  assert.deepEqual(manifest.dependsOn, ["postgres", "redis"]);
});

Deno.test("parseManifest: the three kinds of health check", () => {
  const probe = (text: string) => parseManifest(`${HEAD}health: ${text}\n`).health?.probe;
  assert.deepEqual(probe("{script: scripts/health.sh}"), {
    type: "script",
    script: "scripts/health.sh",
  });
  assert.deepEqual(probe("{tcp: 5432}"), { type: "tcp", port: 5432 });
  assert.deepEqual(probe("{http: {port: 80}}"), {
    type: "http",
    port: 80,
    path: "/",
    status: [],
    body: null,
  });
});

Deno.test("parseManifest: unknown key with place and suggestion", () => {
  assertProblem(`${HEAD}serivce: {}\n`, "3:1", /unknown key "serivce"; did you mean "service"\?/);
  assertProblem(`${HEAD}foo: 1\n`, "3:1", /unknown key "foo"; allowed: name, version, description/);
  assertProblem(
    `${HEAD}service:\n  ports:\n    - {name: a, port: 1, proto: tcp}\n`,
    "5:26",
    /unknown key "proto" in service.ports\[0\]; did you mean "protocol"\?/,
  );
  assertProblem(
    `${HEAD}env: {A: {requird: true}}\n`,
    "3:11",
    /unknown key "requird" in env.A; did you mean "required"\?/,
  );
  assertProblem(`${HEAD}__proto__: {a: 1}\n`, "3:1", /unknown key "__proto__"/);
  assertProblem(`${HEAD}env: {A: {__proto__: 1}}\n`, "3:11", /unknown key "__proto__" in env.A/);
});

Deno.test("parseManifest: allows x- keys everywhere", () => {
  const manifest = parseManifest(
    `${HEAD}x-a: {b: [1]}\nservice: {x-b: 1, ports: [{name: a, port: 1, x-c: {}}]}\nenv: {x-d: 1}\n`,
  );
  assert.deepEqual(manifest.env, {});
});

Deno.test("parseManifest: position, problem and remedy of a value", () => {
  const cases: Array<[string, string, RegExp]> = [
    ["version: 1.0.0\n", "1:1", /^\S+ name is missing: it must be 1 to 128/],
    ["name: ../x\nversion: 1.0.0\n", "1:7", /name must be .*; got "\.\.\/x"/],
    ["name: a\nversion: 1.0\n", "2:10", /version must be a SemVer version .*; got 1$/],
    ["name: a\nversion: v1.0.0\n", "2:10", /version must be a SemVer .*; got "v1\.0\.0"/],
    ["name: a\nversion: ../1.0\n", "2:10", /version must be a SemVer/],
    ["name: a\nversion: 1.0.01\n", "2:10", /version must be a SemVer/],
    [`${HEAD}service: {type: foo}\n`, "3:17", /service.type must be one of managed_process, sys/],
    [`${HEAD}service: {start: maybe}\n`, "3:18", /service.start must be foreground or daemon/],
    [`${HEAD}service: [a]\n`, "3:10", /service must be a mapping; got a list/],
    [`${HEAD}service:\n`, "3:9", /service must be a mapping; it is empty here/],
    [`${HEAD}service: {user: Root User}\n`, "3:17", /service.user must be a user name/],
    [`${HEAD}service: {ports: 80}\n`, "3:18", /service.ports must be a list; got 80/],
    [
      `${HEAD}service: {ports: [{name: a, port: 0}]}\n`,
      "3:35",
      /port must be .* 1 to 65535; got 0/,
    ],
    [`${HEAD}service: {ports: [{name: a, port: "80"}]}\n`, "3:35", /whole number.*; got "80"/],
    [`${HEAD}service: {ports: [{port: 80}]}\n`, "3:19", /service.ports\[0\].name is missing/],
    [
      `${HEAD}service: {ports: [{name: a, port: 1}, {name: a, port: 2}]}\n`,
      "3:46",
      /is listed twice/,
    ],
    [`${HEAD}service: {image: a}\n`, "3:18", /service.image is only for docker_container/],
    [`${HEAD}service: {unit: a.service}\n`, "3:17", /service.unit is only for systemd_service/],
    [`${HEAD}env: {1A: x}\n`, "3:7", /env.1A must be a variable name/],
    [`${HEAD}env: {A: [1]}\n`, "3:10", /env.A must be text, a number/],
    [`${HEAD}env: {A: }\n`, "3:10", /env.A must be text.*; it is empty here/],
    [
      `${HEAD}env: {A: {required: yes}}\n`,
      "3:21",
      /env.A.required must be true or false; got "yes"/,
    ],
    [`${HEAD}depends_on: postgres\n`, "3:13", /depends_on must be a list; got "postgres"/],
    [`${HEAD}depends_on: [hello]\n`, "3:14", /depends_on\[0\] must not be the service itself/],
    [`${HEAD}depends_on: [a, a]\n`, "3:17", /depends_on\[1\] is listed twice/],
    [`${HEAD}requires: {commands: [""]}\n`, "3:23", /requires.commands\[0\] must not be empty/],
    [`${HEAD}health: {}\n`, "3:9", /health must have exactly one of script, http, tcp/],
    [`${HEAD}health: {script: a, tcp: 80}\n`, "3:9", /health must have exactly one of/],
    [`${HEAD}health: {script: ../x}\n`, "3:18", /must be a path inside the package/],
    [`${HEAD}health: {script: /bin/true}\n`, "3:18", /must be a path inside the package/],
    [`${HEAD}health: {tcp: http}\n`, "3:15", /one of service.ports \(none\)/],
    [`${HEAD}health: {tcp: 80, timeout: 5}\n`, "3:28", /must be a duration such as .*; got 5$/],
    [`${HEAD}health: {tcp: 80, timeout: 5 s}\n`, "3:28", /must be a duration such as/],
    [`${HEAD}health: {tcp: 80, interval: 25h}\n`, "3:29", /must be a duration from 10ms to 24h/],
    [`${HEAD}health: {tcp: 80, retries: 1.5}\n`, "3:28", /must be a whole number from 1 to 1000/],
    [`${HEAD}health: {http: {port: 80, path: x}}\n`, "3:33", /must be a path that begins with \//],
    [`${HEAD}restart: {policy: never}\n`, "3:19", /must be one of no, on-failure, always/],
    [`${HEAD}stop: {signal: 9}\n`, "3:16", /stop.signal must be one of TERM, INT/],
  ];
  for (const [text, place, words] of cases) assertProblem(text, place, words);
});

Deno.test("parseManifest: lists problems by line", () => {
  const lines = problems("name: a b\nversion: 1\nfoo: 2\nstop: {timeout: 10}\n");
  assert.deepEqual(lines.map((line) => line.split(": ")[0]), [
    "manifest.yaml:1:7",
    "manifest.yaml:2:10",
    "manifest.yaml:3:1",
    "manifest.yaml:4:17",
  ]);
});

Deno.test("parseManifest: refuses aliases, tags, directives", () => {
  const cases: Array<[string, string, RegExp]> = [
    [`${HEAD}env: &a {A: 1}\n`, "3:9", /an anchor is not allowed/],
    [`${HEAD}name: b\n`, "3:1", /this key is set twice/],
    [`${HEAD}env: {A: 1, A: 2}\n`, "3:13", /this key is set twice/],
    [`${HEAD}service:\n\ttype: managed_process\n`, "4:1", /a tab is not allowed/],
    [`${HEAD}env: {A: !!str 1}\n`, "3:16", /the tag tag:yaml.org,2002:str is not allowed/],
    [`${HEAD}env: {A: !secret x}\n`, "3:18", /the tag !secret is not allowed/],
    [`%YAML 1.1\n---\n${HEAD}`, "1:1", /a YAML directive is not allowed/],
    [`${HEAD}env: {1: x}\n`, "3:7", /a key must be text/],
    [`${HEAD}? [a]\n: b\n`, "3:3", /a key must be text/],
    ["- 1\n", "1:1", /the manifest must be a mapping/],
    ["", "1:1", /the manifest must be a mapping/],
    [`${HEAD}env: {A: "x\n`, "4:1", /this is not valid YAML: Missing closing/],
    [`#${"x".repeat(65_536)}`, "1:1", /it may have 65536 bytes/],
  ];
  for (const [text, place, words] of cases) {
    const [first = ""] = problems(text);
    assert(first.startsWith(`manifest.yaml:${place}: `), `${first}\n${text.slice(0, 200)}`);
    assert.match(first, words);
  }
  assert(problems(`---\n${HEAD}---\n${HEAD}`).some((p) => /only one YAML document/.test(p)));
  assert(problems(`${HEAD}env: *a\n`).some((p) => /alias/.test(p)));
});

Deno.test("parseManifest: refuses alias bombs and deep nesting", () => {
  let bomb = `${HEAD}x-a0: &a0 [x, x, x, x, x, x, x, x, x]\n`;
  for (let i = 1; i < 30; i++) bomb += `x-a${i}: &a${i} [${`*a${i - 1}, `.repeat(9)}]\n`;
  for (
    const text of [bomb, `a: ${"[".repeat(30_000)}`, "{a: ".repeat(12_000), "- ".repeat(30_000)]
  ) {
    const lines = problems(text);
    assert(lines.length > 0 && lines.length <= 51, `${lines.length} lines`);
    assert.match(lines[0] ?? "", /^manifest\.yaml:\d+:\d+: /);
  }
});

Deno.test("parseManifest: manifest or package_invalid for any text", () => {
  const pieces = fc.constantFrom(
    "name",
    "version",
    "service",
    "ports",
    "env",
    "health",
    ": ",
    ":\n  ",
    "\n",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "1.0.0",
    "hello",
    "&a",
    "*a",
    "!!x ",
    "'",
    '"',
    "|\n",
    "#",
    "%",
    "---\n",
    "\t",
    "\0",
    "? ",
    "<<",
    "~",
    "\u2028",
  );
  fc.assert(
    fc.property(
      fc.array(fc.oneof(pieces, fc.string({ maxLength: 4 })), { maxLength: 40 }),
      (words) => {
        problems(words.join(""));
      },
    ),
    { seed: SEED, numRuns: 3000 },
  );
});
