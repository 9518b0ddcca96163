import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac, randomBytes } from "node:crypto";
import fc from "fast-check";
import {
  checkHostKey,
  knownHostName,
  knownKeyTypes,
  parseKnownHosts,
} from "../../src/executor/ssh/known_hosts.ts";
import { addKnownHost } from "../../src/executor/ssh/known_hosts_file.ts";
import { SEED } from "../helpers/seed.ts";

/** What a file of these lines says about a key. */
function status(lines: string[], name: string, key: Buffer): string {
  return checkHostKey(parseKnownHosts(lines.join("\n"), "kh").entries, name, key).status;
}

/** A public key blob of a type, with made-up content. */
function blob(type: string, content = type): Buffer {
  const part = (text: string): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(Buffer.byteLength(text));
    return Buffer.concat([length, Buffer.from(text)]);
  };
  return Buffer.concat([part(type), part(content)]);
}

const ED = blob("ssh-ed25519");

const ED2 = blob("ssh-ed25519", "another key");

const EC = blob("ecdsa-sha2-nistp256");

function line(host: string, key: Buffer, marker = ""): string {
  const type = key.subarray(4, 4 + key.readUInt32BE(0)).toString();
  return `${marker}${host} ${type} ${key.toString("base64")}`;
}

function hashed(name: string): string {
  const salt = randomBytes(20);
  const hash = createHmac("sha1", salt).update(name).digest("base64");
  return `|1|${salt.toString("base64")}|${hash}`;
}

Deno.test("checkHostKey: every way in which a host can be listed", () => {
  const name = "[10.0.0.7]:2222";
  const rows: Array<[string, string[], string, Buffer, string]> = [
    ["nothing listed", [], "web1", ED, "unknown"],
    ["plain", [line("web1", ED)], "web1", ED, "known"],
    ["another host", [line("web2", ED)], "web1", ED, "unknown"],
    ["several names", [line("a,web1,b", ED)], "web1", ED, "known"],
    ["case of the name", [line("WEB1", ED)], "web1", ED, "known"],
    ["hashed", [line(hashed("web1"), ED)], "web1", ED, "known"],
    ["hashed, another host", [line(hashed("web2"), ED)], "web1", ED, "unknown"],
    ["hashed, changed", [line(hashed("web1"), ED2)], "web1", ED, "changed"],
    ["[host]:port", [line(name, ED)], name, ED, "known"],
    ["[host]:port, another port", [line("[10.0.0.7]:22", ED)], name, ED, "unknown"],
    ["hashed [host]:port", [line(hashed(name), ED)], name, ED, "known"],
    ["wildcard", [line("*.example.com", ED)], "web1.example.com", ED, "known"],
    ["wildcard with port", [line("[10.0.0.*]:22??", ED)], name, ED, "known"],
    ["negated", [line("*.example.com,!web1.example.com", ED)], "web1.example.com", ED, "unknown"],
    ["changed", [line("web1", ED2)], "web1", ED, "changed"],
    ["two keys, one fits", [line("web1", ED2), line("web1", ED)], "web1", ED, "known"],
    ["other type", [line("web1", EC)], "web1", ED, "changed"],
    ["both types", [line("web1", EC), line("web1", ED)], "web1", ED, "known"],
    ["revoked", [line("web1", ED, "@revoked ")], "web1", ED, "revoked"],
    ["revoked beats known", [line("web1", ED), line("*", ED, "@revoked ")], "web1", ED, "revoked"],
    ["another key revoked", [line("web1", ED2, "@revoked ")], "web1", ED, "unknown"],
    ["authority is no host key", [line("*", ED, "@cert-authority ")], "web1", ED, "unknown"],
    ["comment", [`# ${line("web1", ED)}`], "web1", ED, "unknown"],
    ["trailing comment", [`${line("web1", ED)} root@web1`], "web1", ED, "known"],
    ["tabs and CRLF", [line("web1", ED).replaceAll(" ", "\t") + "\r"], "web1", ED, "known"],
  ];
  for (const [what, lines, host, key, expected] of rows) {
    assert.equal(status(lines, host, key), expected, what);
  }
});

Deno.test("parseKnownHosts: reports invalid lines", () => {
  const text = [
    line("ok", ED),
    "web1",
    "web1 ssh-ed25519",
    "web1 ssh-ed25519 !!!!",
    `web1 ssh-rsa ${ED.toString("base64")}`,
    `@unknown web1 ssh-ed25519 ${ED.toString("base64")}`,
    `|2|x|y ssh-ed25519 ${ED.toString("base64")}`,
    "",
    "# comment",
  ].join("\n");
  const { entries, unreadable } = parseKnownHosts(text, "/kh");
  assert.deepEqual(entries.map((entry) => [entry.file, entry.line]), [["/kh", 1]]);
  assert.deepEqual(unreadable, [2, 3, 4, 5, 6, 7].map((number) => `/kh:${number}`));
});

Deno.test("parseKnownHosts, checkHostKey: never throw on any text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), fc.string(), (text, name) => {
      checkHostKey(parseKnownHosts(text, "kh").entries, name, ED);
    }),
    { numRuns: 2000, seed: SEED },
  );
});

Deno.test("knownKeyTypes: the types by which a host is known", () => {
  const { entries } = parseKnownHosts(
    [line("web1", EC), line("web*", ED), line("db", ED2), line("web1", ED2, "@revoked ")]
      .join("\n"),
    "kh",
  );
  assert.deepEqual(knownKeyTypes(entries, "web1"), ["ecdsa-sha2-nistp256", "ssh-ed25519"]);
  assert.deepEqual(knownKeyTypes(entries, "other"), []);
});

Deno.test("knownHostName: as ssh writes it", () => {
  assert.equal(knownHostName("Web1", 22), "web1");
  assert.equal(knownHostName("web1", 2222), "[web1]:2222");
  assert.equal(knownHostName("::1", 2222), "[::1]:2222");
});

Deno.test("addKnownHost: safe when many append at once", async () => {
  const dir = await Deno.makeTempDir({ prefix: "harness-known-hosts-" });
  try {
    const file = `${dir}/new/known_hosts`;
    const names = Array.from({ length: 40 }, (_, i) => `host${i % 20}`);
    const verdicts = await Promise.all(names.map((name) => addKnownHost([file], name, ED)));
    assert.ok(verdicts.every(({ status }) => status === "known"));
    const lines = (await Deno.readTextFile(file)).split("\n");
    assert.deepEqual(lines.pop(), "");
    assert.deepEqual(lines.sort(), [...new Set(names)].map((name) => line(name, ED)).sort());
    assert.equal(((await Deno.stat(file)).mode ?? 0) & 0o777, 0o600);

    assert.equal((await addKnownHost([file], "host1", ED2)).status, "changed");
    await Deno.writeTextFile(file, line("last", ED));
    await addKnownHost([file], "next", EC);
    assert.equal(await Deno.readTextFile(file), `${line("last", ED)}\n${line("next", EC)}\n`);

    const old = new Date(Date.now() - 60_000);
    await Deno.writeTextFile(`${file}.harness-lock`, "");
    await Deno.utime(`${file}.harness-lock`, old, old);
    assert.equal((await addKnownHost([file], "after-a-crash", ED)).status, "known");
    assert.deepEqual([...Deno.readDirSync(`${dir}/new`)].map(({ name }) => name), ["known_hosts"]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
