/** What is counted per address: connections, wrong tokens, log lines. */
import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import { AddressCounts, addressKey, isLoopback } from "../../src/server/access/addresses.ts";
import { AuthBackoff } from "../../src/server/access/auth_backoff.ts";
import { LogLimiter } from "../../src/server/access/log_limiter.ts";
import {
  FREE_WRONG_TOKENS,
  MAX_COUNTED_ADDRESSES,
  MAX_LOG_LINES,
} from "../../src/server/limits.ts";

Deno.test("addressKey: one for IPv4, one for a /64 of IPv6", () => {
  const keys: Array<[address: string, key: string]> = [
    ["10.0.0.5", "10.0.0.5"],
    ["::ffff:10.0.0.5", "10.0.0.5"],
    ["::FFFF:127.0.0.1", "127.0.0.1"],
    ["::1", "::1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:DB8:1:2::9", "2001:db8:1:2::/64"],
    ["2001:db8::9", "2001:db8:0:0::/64"],
    ["2001:0db8:0001::", "2001:db8:1:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ];
  for (const [address, key] of keys) assert.equal(addressKey(address), key, address);
});

Deno.test("isLoopback: true only for what this machine alone reaches", () => {
  const own = ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "::1%lo"];
  for (const host of [...own, "::ffff:127.0.0.1", "[::FFFF:127.0.0.1]"]) {
    assert.ok(isLoopback(host), host);
  }
  const others = ["0.0.0.0", "::", "10.0.0.1", "::ffff:10.0.0.1", "127.evil.com", "127.1"];
  for (const host of [...others, "localhost.evil.com", "evil.localhost.com", ""]) {
    assert.ok(!isLoopback(host), host);
  }
});

Deno.test("AddressCounts: a place is given back once", () => {
  const counts = new AddressCounts();
  const leave = counts.add("a");
  counts.add("a");
  leave();
  leave();
  assert.equal(counts.of("a"), 1);
});

function request(token?: string): Request {
  return new Request("http://localhost/", {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });
}

/** An {@linkcode AuthBackoff} with a clock, and what it answers. */
function backoff() {
  const clock = { now: 0 };
  const auth = new AuthBackoff(() => clock.now);
  const ask = (address: string, token?: string): [code: string, retryMs?: unknown] => {
    try {
      auth.check(request(token), address, () => {
        if (token !== "right") throw new HarnessError("unauthorized", "Cannot: wrong");
      });
      return ["ok"];
    } catch (error) {
      const { code, details } = error as HarnessError;
      return code === "rate_limited" ? [code, details?.["retry_after_ms"]] : [code];
    }
  };
  return { clock, auth, ask };
}

Deno.test("AuthBackoff: grows per wrong token, spares right ones", () => {
  const { clock, ask } = backoff();
  for (let i = 0; i < FREE_WRONG_TOKENS; i++) {
    assert.deepEqual(ask("10.0.0.1", "wrong"), ["unauthorized"]);
  }
  assert.deepEqual(ask("10.0.0.1", "wrong"), ["rate_limited", 1000]);
  clock.now = 400;
  assert.deepEqual(ask("10.0.0.1", "wrong"), ["rate_limited", 600]);
  assert.deepEqual(ask("10.0.0.1", "right"), ["ok"]);
  assert.deepEqual(ask("10.0.0.1"), ["unauthorized"]); // none is no wrong one
  assert.deepEqual(ask("10.0.0.2", "wrong"), ["unauthorized"]);
  clock.now = 1001;
  assert.deepEqual(ask("::ffff:10.0.0.1", "wrong"), ["rate_limited", 2000]);
  clock.now += 60 * 60_000;
  assert.deepEqual(ask("10.0.0.1", "wrong"), ["unauthorized"]);
});

Deno.test("AuthBackoff: the longest wait and the table are bounded", () => {
  const { clock, ask, auth } = backoff();
  let longest = 0;
  for (let i = 0; i < 100; i++) {
    const wait = Number(ask("10.0.0.1", "wrong")[1] ?? 0);
    longest = Math.max(longest, wait);
    clock.now += wait;
  }
  assert.equal(longest, 60_000);
  for (let i = 0; i < MAX_COUNTED_ADDRESSES + 100; i++) ask(`${i >> 8}.${i & 255}.1.1`, "wrong");
  assert.equal(auth.size, MAX_COUNTED_ADDRESSES);
});

Deno.test("LogLimiter: one line per key and interval, with a count", () => {
  let now = 0;
  const log = new LogLimiter(() => now);
  assert.equal(log.note("a"), 1);
  assert.deepEqual([log.note("a"), log.note("b")], [null, 1]);
  now = 60_001;
  assert.equal(log.note("a"), 2);
  let lines = 0;
  for (let i = 0; i < 10_000; i++) if (log.note(`x${i}`) !== null) lines++;
  assert.equal(lines, MAX_LOG_LINES - 1);
});
