import assert from "node:assert/strict";
import { jsonLine, textLine } from "../../src/cli/logging.ts";
import type { LogRecord } from "../../src/util/log.ts";
import { redactor } from "../../src/util/redact.ts";

function record(message: unknown[], properties: Record<string, unknown> = {}): LogRecord {
  return {
    category: ["harness", "server"],
    level: "warning",
    message,
    rawMessage: "Lost {name}",
    timestamp: Date.UTC(2026, 0, 2, 3, 4, 5, 6),
    properties,
  };
}

Deno.test("textLine: time, level, component and properties", () => {
  assert.equal(
    textLine(record(["Lost ", "web1", ""], { name: "web1", tries: 3 }), true),
    "2026-01-02T03:04:05.006Z WARN  server: Lost web1 tries=3",
  );
  assert.equal(textLine(record(["a\nb\x1b[31m"]), false), "WARN  server: a\\nb\\x1b[31m");
});

Deno.test("jsonLine(): is valid JSON and keeps errors with causes", () => {
  const error = new Error("outer", { cause: new TypeError("inner") });
  const line = JSON.parse(jsonLine(record(["x"], { error })));
  assert.equal(line.time, "2026-01-02T03:04:05.006Z");
  assert.equal(line.level, "warning");
  assert.equal(line.component, "server");
  assert.equal(line.error.message, "outer");
  assert.equal(line.error.cause.message, "inner");
});

Deno.test("logging: hides secrets by name and by text", () => {
  const properties = { token: "t0p", nested: { ssh_passphrase: "pw", user: "me" }, tokens: 2 };
  for (
    const line of [jsonLine(record(["x"], properties)), textLine(record(["x"], properties), true)]
  ) {
    assert.ok(!line.includes("t0p") && !line.includes("pw"), line);
    assert.ok(line.includes("me"), line);
  }
  const hide = redactor(['s3cr"t', "abc"]);
  assert.equal(hide(JSON.stringify({ a: 's3cr"t' })), '{"a":"[REDACTED]"}');
  assert.equal(hide('raw s3cr"t'), "raw [REDACTED]");
  assert.equal(hide("abc"), "abc");
});
