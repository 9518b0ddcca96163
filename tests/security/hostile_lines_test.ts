/**
 * Lines that a host, a package or a client makes as long and as strange as it likes: reading them ends, and takes time
 * that grows with their length and not with its square. Where it did not, these took hours.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { hostLayout } from "../../src/deploy/host/layout.ts";
import { parseKnownHosts } from "../../src/executor/ssh/known_hosts.ts";
import { quoteWord } from "../../src/executor/shell/quote.ts";
import { formatEnvFile, secretsIn } from "../../src/lifecycle/env_file.ts";
import { LineSplitter } from "../../src/lifecycle/logs.ts";
import type { ServiceSpec } from "../../src/lifecycle/service_spec.ts";
import { parseHostStatus } from "../../src/lifecycle/supervisor/host_status.ts";
import { parseProcessStatus, parseReport } from "../../src/lifecycle/drivers/process/commands.ts";
import { parseUnitReport } from "../../src/lifecycle/drivers/systemd/report.ts";
import { addressKey } from "../../src/server/access/addresses.ts";

const SPEC: ServiceSpec = {
  name: "web",
  version: "1",
  execution: {
    type: "managed_process",
    argv: ["web"],
    start: "foreground",
    stopArgv: null,
    reloadArgv: null,
    user: null,
  },
  workDir: "/",
  envFile: null,
  runDir: "/run/web",
  logDir: "/run/web/log",
  ports: [],
  health: null,
  restart: { policy: "no", maxRetries: 0, backoffMs: 1 },
  stop: { signal: "TERM", timeoutMs: 1 },
};

const LENGTH = 1_000_000;
const LONG = "s".repeat(LENGTH);

/** Ends of a line that `.` and `$` do not agree on, and text that is none. */
const ENDS = ["", "\r", "\u2028x", "\0", "\ud800", " \u2029"];

Deno.test("hostile lines: reports of a host are read in one go", () => {
  for (const end of ENDS) {
    const report = parseUnitReport(`@harness ${LONG}${end}\n@harness failed why\n`);
    assert.equal(report.outcome, "failed");
    assert.equal(parseReport(`@harness failed ${LONG}${end}`)?.outcome, "failed");
    assert.equal(parseProcessStatus(`running 12 ${LONG}${end}`).pid, 12);
    assert.deepEqual(parseHostStatus(`@harness status process\n0 ${LONG}${end}`, []), []);
  }
});

Deno.test("hostile lines: a status that was not asked for", () => {
  const text = "@harness status process\n4294967290 running 1 - /\n99999999999 none\n-1 none\n" +
    "@harness status unit\nunits 7 4294967290\n\nMainPID=1\n\ncarried\n";
  assert.deepEqual(parseHostStatus(text, []), []);
  // Both sections are read where the machine decides how a process runs.
  assert.deepEqual(parseHostStatus(text, [{ spec: SPEC }]), [null]);
});

Deno.test("hostile lines: words and paths are quoted in one go", () => {
  for (const end of ["", " ", "'", "\n"]) assert.ok(quoteWord(LONG + end).length >= LENGTH);
  assert.equal(quoteWord("12"), "'12'");
  assert.equal(quoteWord("1a"), "1a");
  assert.match(hostLayout(`${"/".repeat(LENGTH)}x`, "web").base, /x\/\.harness\/web$/);
  assert.equal(addressKey("%".repeat(LENGTH) + "\n%"), "");
});

Deno.test("hostile lines: a log is cut alike however it comes", () => {
  const parts = ["\n", "\r\n", "abc", "\u00e4", "\ud83d\ude00", "\ufeff", "x".repeat(9)].map((
    part,
  ) => new TextEncoder().encode(part));
  const bytes = fc.constantFrom(...parts, new Uint8Array([0xff]), new Uint8Array([0xe2, 0x82]));
  fc.assert(fc.property(fc.array(bytes, { maxLength: 30 }), fc.nat(20), (pieces, size) => {
    const all = new Uint8Array(pieces.flatMap((piece) => [...piece]));
    const cut = (length: number) => {
      const splitter = new LineSplitter(8);
      const lines: string[] = [];
      for (let at = 0; at < all.length; at += length) {
        lines.push(...splitter.push(all.subarray(at, at + length)));
      }
      return [...lines, ...splitter.flush()];
    };
    assert.deepEqual(cut(size + 1), cut(1));
    assert.deepEqual(cut(1000), cut(1));
  }));
  assert.equal(new LineSplitter().push(new Uint8Array(LENGTH).fill(10)).length, LENGTH);
});

Deno.test("hostile lines: known_hosts and env files", () => {
  for (const end of ENDS) {
    parseKnownHosts(
      `${LONG}${end} ssh-ed25519 ${"=".repeat(LENGTH)}x\n${"\t".repeat(LENGTH)}#`,
      "f",
    );
    assert.deepEqual(secretsIn(`A='${LONG}${end}`), []);
    assert.deepEqual(secretsIn(`A='x\n${"B='".repeat(LENGTH / 4)}${end}`), []);
  }
  // As many quotes as a value can hold.
  const value = "'".repeat(LENGTH);
  assert.deepEqual(secretsIn(formatEnvFile({ A: value }, new Set(["A"]))), [value]);
});

Deno.test("hostile lines: an env file gives back its secrets", () => {
  const text = fc.string({
    unit: fc.constantFrom(..."a'\"=\n\r\u2028# ", "# secret\n", "\ud83d\ude00"),
  });
  fc.assert(fc.property(fc.array(text, { maxLength: 4 }), text, (values, noise) => {
    const env = Object.fromEntries(values.map((value, at) => [`V${at}`, value]));
    assert.deepEqual(secretsIn(formatEnvFile(env, new Set(Object.keys(env)))), values);
    // Whatever else a file holds: it is read to its end.
    assert.ok(Array.isArray(secretsIn(noise + formatEnvFile(env) + noise)));
  }));
});
