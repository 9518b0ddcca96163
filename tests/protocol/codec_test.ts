import assert from "node:assert/strict";
import fc from "fast-check";
import { HarnessError } from "../../src/errors.ts";
import {
  encodeDataText,
  encodeError,
  encodeEvent,
  encodeNotice,
  encodeRequest,
  parseRequest,
  parseServerMessage,
} from "../../src/protocol/codec.ts";
import { parseParams, requireAction } from "../../src/protocol/requests.ts";
import { salvageId } from "../../src/protocol/id_recovery.ts";
import { type Action, ACTION_NAMES, ACTIONS } from "../../src/protocol/actions.ts";
import type { RegistryEvent } from "../../src/model/event.ts";
import { SEED } from "../helpers/seed.ts";

Deno.test("parseRequest(): round trip with encodeRequest()", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 256 }), fc.string(), (id, action) => {
      assert.deepEqual(parseRequest(encodeRequest(id, action)), {
        ok: true,
        id,
        action,
        params: {},
      });
    }),
    { seed: SEED },
  );
  const text = encodeRequest("1", "get_service", { name: "a" });
  assert.deepEqual(parseRequest(text), {
    ok: true,
    id: "1",
    action: "get_service",
    params: { name: "a" },
  });
});

Deno.test("parseRequest(): the quick way reads what the parser does", () => {
  const piece = fc.oneof(
    fc.string({ maxLength: 300 }),
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.constantFrom("", "get_service", "a\\nb", '"', "\u0000", "x".repeat(256), "x".repeat(257)),
  );
  const raw = fc.oneof(piece, piece.map((text) => JSON.stringify(text).slice(1, -1)));
  const none = fc.constantFrom(null, undefined);
  fc.assert(
    fc.property(raw, raw, fc.oneof(raw, none), (id, action, name) => {
      const params = name === null ? "{}" : `{"name":"${name}"}`;
      const rest = name === undefined ? "" : `,"params":${params}`;
      const text = `{"id":"${id}","type":"request","action":"${action}"${rest}}`;
      // A space is all that the quick way needs to leave a text to the parser.
      const [quick, parsed] = [parseRequest(text), parseRequest(` ${text}`)];
      assert.deepEqual(quick.ok ? quick : quick.id, parsed.ok ? parsed : parsed.id);
    }),
    { seed: SEED, numRuns: 1000 },
  );
  const deep = parseRequest('{"id":"1","type":"request","action":"a"}', { maxDepth: 1 });
  assert.ok(deep.ok);
  const text = '{"id":"1","type":"request","action":"a","params":{"name":"b"}}';
  assert.ok(!parseRequest(text, { maxDepth: 1 }).ok);
});

Deno.test("parseParams(): the quick way accepts what the schema does", () => {
  const actions = ACTION_NAMES.filter((action) => ACTIONS[action].quick !== undefined);
  assert.ok(actions.includes("get_service"));
  const names = fc.oneof(
    fc.string({ maxLength: 300 }),
    fc.stringMatching(/^[A-Za-z0-9._@:[\]%-]{0,260}$/),
    fc.constantFrom("a@", "a@b", "-a", "a\n", "é", "x".repeat(256), "x".repeat(257)),
  );
  const params = fc.oneof(
    names.map((name) => ({ name, other: 1 })),
    fc.constantFrom(null, {}, [], "a", { name: 1 }, { name: null }),
  );
  fc.assert(
    fc.property(fc.constantFrom(...actions), params, (action, given) => {
      const { quick, params: schema } = ACTIONS[action];
      const { success, data } = schema.safeParse(given);
      assert.deepEqual(quick?.(given), success ? data : null);
    }),
    { seed: SEED, numRuns: 1000 },
  );
});

Deno.test("parseRequest(): never throws or loses a readable id", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
      const parsed = parseRequest(text);
      assert.ok(parsed.ok || parsed.error instanceof HarnessError);
    }),
    { seed: SEED },
  );
  fc.assert(
    fc.property(fc.json({ maxDepth: 8 }), fc.string({ maxLength: 256 }), (json, id) => {
      const parsed = parseRequest(`{"x":${json},"id":${JSON.stringify(id)}}`);
      assert.ok(!parsed.ok);
      assert.equal(parsed.id, id);
    }),
    { seed: SEED },
  );
});

Deno.test("parseRequest(): null or missing params are {}", () => {
  for (const params of ["", ',"params":null', ',"params":{}']) {
    const parsed = parseRequest(`{"id":"1","type":"request","action":"a"${params}}`);
    assert.deepEqual(parsed, { ok: true, id: "1", action: "a", params: {} });
  }
});

Deno.test("parseRequest(): refuses reserved keys at any depth", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("__proto__", "constructor"),
      fc.array(fc.boolean(), { maxLength: 20 }),
      fc.boolean(),
      (key, path, escaped) => {
        let name = JSON.stringify(key);
        if (escaped) name = `"\\u00${key.charCodeAt(0).toString(16)}${key.slice(1)}"`;
        let inner = `{${name}:1}`;
        for (const isArray of path) inner = isArray ? `[0,${inner}]` : `{"a":0,"b":${inner}}`;
        const parsed = parseRequest(`{"id":"1","type":"request","action":"a","params":${inner}}`);
        assert.ok(!parsed.ok);
        assert.equal(parsed.id, "1");
        assert.equal(parsed.error.code, "invalid_request");
      },
    ),
    { seed: SEED },
  );
  assert.equal(({} as Record<string, unknown>)["x"], undefined);
});

Deno.test("parseRequest(): bounds the nesting", () => {
  const nested = (depth: number) =>
    parseRequest(
      `{"id":"1","type":"request","action":"a","params":${"[".repeat(depth)}${"]".repeat(depth)}}`,
    );
  assert.equal(nested(31).ok, true);
  assert.equal(nested(32).ok, false);
  const parsed = parseRequest('{"id":"1","type":"request","action":"a","params":{}}', {
    maxDepth: 1,
  });
  assert.equal(parsed.ok, false);
});

Deno.test("salvageId(): finds the top-level id of a broken text", () => {
  const cases: Array<[string, string | null]> = [
    ['{"id":"a"', "a"],
    ['{ "id" \n:\t"a" , nonsense', "a"],
    ['{"params":{"id":"inner"},"id":"outer",', "outer"],
    ['{"params":{"id":"inner"', null],
    ['{"params":["id","inner"],"x":"id","id":"y"', "y"],
    ['{"x":"\\"id\\":\\"no\\"","id":"yes"', "yes"],
    ['{"id":"\\u00e9\\n"', "é\n"],
    ['{"id":5', null],
    ['{"id":"unfinished', null],
    ['{"id":"bad \\x escape"', null],
    [`{"id":"${"x".repeat(257)}"`, null],
    ['"id":"a"', null],
    ['["id":"a"', "a"], // an array opened where an object was meant
    ["", null],
  ];
  for (const [text, id] of cases) assert.equal(salvageId(text), id, text);
});

/** A text that counts what is read of it: characters, also those of parts. */
function countingText(text: string): { text: string; reads: () => number } {
  let reads = 0;
  const slice = (from: number, to: number) => {
    const part = text.slice(from, to);
    reads += part.length;
    return part;
  };
  const counting = new Proxy({ length: text.length, slice }, {
    get(target, key) {
      if (key === "length" || key === "slice") return target[key];
      reads++;
      return text[Number(key)];
    },
  });
  return { text: counting as unknown as string, reads: () => reads };
}

Deno.test("salvageId(): is linear on hostile texts", () => {
  for (const unit of ['"id":', '"', "{", '{"id":"', "\\", '"id" :']) {
    const length = 20_000;
    const { text, reads } = countingText(`{${unit.repeat(length / unit.length)}`);
    salvageId(text);
    assert.ok(reads() > 0 && reads() < 50 * length, `${unit}: ${reads()} of ${length} characters`);
  }
});

Deno.test("requireAction(): suggests the nearest action", () => {
  assert.equal(requireAction("subscribe"), "subscribe");
  assert.throws(() => requireAction("get-service"), {
    code: "unknown_action",
    message: /get_service/,
  });
  assert.throws(() => requireAction("__proto__"), { code: "unknown_action" });
  assert.throws(() => requireAction("x".repeat(100_000)), (error: HarnessError) => {
    assert.ok(error.message.length < 1000);
    return true;
  });
});

Deno.test("parseParams(): drops unknown fields, lists issues", () => {
  const params = parseParams("get_service", { name: "a", other: 1 });
  assert.deepEqual(params, { name: "a" });
  assert.throws(
    () => parseParams("list_services", { limit: "5", state: "on" }),
    (error: HarnessError) => {
      assert.equal(error.code, "invalid_params");
      const issues = error.details?.["issues"] as Array<{ path: string; message: string }>;
      assert.deepEqual(issues.map((issue) => issue.path).toSorted(), [
        "params.limit",
        "params.state",
      ]);
      return true;
    },
  );
  const many = { services: Array.from({ length: 200 }, () => 5) };
  assert.throws(() => parseParams("subscribe", many), (error: HarnessError) => {
    assert.equal((error.details?.["issues"] as unknown[]).length, 10);
    return true;
  });
});

Deno.test("parseParams(): explains the nearest form of a union", () => {
  const said = (action: Action, params: unknown) => {
    try {
      parseParams(action, params);
    } catch (error) {
      return (error as HarnessError).message;
    }
    return null;
  };
  const target = { host: "web1", become: "doas" };
  const of = { package: "a-1.0.0.tar.gz" };
  assert.match(
    said("deploy_package", { ...of, target }) ?? "",
    /: params\.target\.become must be "sudo"/,
  );
  assert.match(
    said("deploy_package", { ...of, target: 5 }) ?? "",
    /: params\.target must be of type string or must be of type object/,
  );
  assert.match(
    said("deploy_package", { ...of, target: "local", env: { "A-B": "1" } }) ?? "",
    /: params\.env\.A-B must be a name of letters, digits and _$/,
  );
  assert.match(
    said("deploy_package", { ...of, target: "local", targets: ["local"] }) ?? "",
    /: params must have either target or targets$/,
  );
});

Deno.test("parseParams(): says what a number or a type must be", () => {
  const service = { name: "a", version: "1", execution: { type: "managed_process", command: "b" } };
  const cases: ReadonlyArray<readonly [object, RegExp]> = [
    [{ execution: { ...service.execution, pid: 0 } }, /execution\.pid must be more than 0$/],
    [{ ttl_ms: 5 }, /ttl_ms must be at least 100$/],
    [{ ttl_ms: 1e12 }, /ttl_ms must be at most 86400000$/],
    [{ ttl_ms: 100.5 }, /ttl_ms must be a whole number$/],
    [{ labels: null }, /labels must be of type object$/],
  ];
  for (const [fields, message] of cases) {
    assert.throws(
      () => parseParams("register_service", { service: { ...service, ...fields } }),
      { code: "invalid_params", message },
    );
  }
});

Deno.test("encodeError(): hides the cause of an internal error", () => {
  const error = new HarnessError("internal", "secret", { details: { secret: 1 }, cause: "secret" });
  assert.doesNotMatch(encodeError("1", error), /secret/);
});

Deno.test("parseServerMessage(): round trip with the encoders", () => {
  fc.assert(
    fc.property(fc.string(), fc.jsonValue(), (id, data) => {
      const message = parseServerMessage(encodeDataText(id, JSON.stringify(data)));
      assert.deepEqual(message, { id, type: "response", data: JSON.parse(JSON.stringify(data)) });
    }),
    { seed: SEED },
  );
  assert.deepEqual(parseServerMessage(encodeDataText("1", "null")), {
    id: "1",
    type: "response",
    data: null,
  });
  const error = new HarnessError("conflict", "Cannot: x", { details: { a: 1 } });
  assert.deepEqual(parseServerMessage(encodeError(null, error)), {
    id: null,
    type: "response",
    error: { code: "conflict", message: "Cannot: x", retryable: false, details: { a: 1 } },
  });
  const event: RegistryEvent = {
    event: "service_deregistered",
    data: { service: 'a"b', id: "é\u2028" },
    seq: 7,
    time: "2026-11-23T11:57:19.024Z",
  };
  assert.deepEqual(parseServerMessage(encodeEvent(event)), { type: "event", ...event });
  const time = "2026-11-23T11:57:19.024Z";
  assert.deepEqual(parseServerMessage(encodeNotice("bookmark", {}, { seq: 3, time })), {
    type: "event",
    event: "bookmark",
    seq: 3,
    time,
    data: {},
  });
});

Deno.test("parseServerMessage(): refuses invalid messages", () => {
  assert.throws(() => parseServerMessage("{"), { code: "parse_error" });
  for (
    const text of [
      "[]",
      "5",
      "{}",
      '{"type":"response"}',
      '{"type":"response","id":{},"data":1}',
      '{"type":"response","id":"1","error":{"code":"nope","message":"x"}}',
      '{"type":"event","event":"x"}',
      '{"type":"event","event":5,"data":{}}',
    ]
  ) {
    assert.throws(() => parseServerMessage(text), { code: "invalid_request" }, text);
  }
});
