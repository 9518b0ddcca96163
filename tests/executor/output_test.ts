import { localExecutor } from "../../src/executor/local.ts";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { MAX_LOGIN_NOISE_BYTES, SSH_MAX_FILE_BYTES } from "../../src/executor/limits.ts";
import { type Announcement, AnnouncementFilter, Tail } from "../../src/executor/output.ts";
import { readKnownHosts } from "../../src/executor/ssh/known_hosts_file.ts";
import { hostSettings } from "../../src/executor/ssh/config.ts";
import { SEED } from "../helpers/seed.ts";

function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (const size of sizes) {
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  pieces.push(bytes.subarray(at));
  return pieces;
}

Deno.test("Tail: keeps the last bytes, however they arrive", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 60 }),
      fc.array(fc.nat({ max: 9 }), { maxLength: 12 }),
      fc.integer({ min: 1, max: 20 }),
      (random, sizes, maxBytes) => {
        const bytes = random.map((byte) => 32 + byte % 90);
        const tail = new Tail(maxBytes);
        for (const piece of cut(bytes, sizes)) tail.push(piece);
        assert.equal(tail.text(), Buffer.from(bytes.slice(-maxBytes)).toString());
        assert.equal(tail.truncated, bytes.length > maxBytes);
      },
    ),
    { seed: SEED },
  );
});

Deno.test("Tail: begins with a whole character", () => {
  const bytes = new TextEncoder().encode("é日𝄞z");
  for (let maxBytes = 1; maxBytes <= bytes.length; maxBytes += 1) {
    const tail = new Tail(maxBytes);
    tail.push(bytes);
    assert.doesNotMatch(tail.text(), /\uFFFD/, `${maxBytes} bytes`);
    assert.ok("é日𝄞z".endsWith(tail.text()));
  }
});

/** Everything that comes out of a filter, and what it found. */
function filtered(pieces: Uint8Array[]): { text: string; found: Announcement | null } {
  const chunks: Uint8Array[] = [];
  let found: Announcement | null = null;
  const filter = new AnnouncementFilter(
    "harness-nonce",
    (chunk) => chunks.push(chunk),
    (announcement) => found = announcement,
  );
  for (const piece of pieces) filter.push(piece);
  filter.end();
  return { text: Buffer.concat(chunks).toString(), found };
}

Deno.test("AnnouncementFilter: removes its line and noise, however cut", () => {
  const text = "Welcome!\nharness-nonc e\nharness-nonce 4711 1\nout\nharness-nonce 1 0\n";
  const bytes = new TextEncoder().encode(text);
  for (let first = 0; first <= bytes.length; first += 1) {
    const { text: rest, found } = filtered(cut(bytes, [first, 3, 1]));
    assert.equal(rest, "out\nharness-nonce 1 0\n");
    assert.deepEqual(found, { pid: 4711, ownGroup: true });
  }
});

Deno.test("AnnouncementFilter: passes all without a line, bounded", () => {
  assert.deepEqual(filtered([Buffer.from("account "), Buffer.from("closed\n")]), {
    text: "account closed\n",
    found: null,
  });
  const noise = new Uint8Array(10_000).fill(120);
  const pieces = Array.from({ length: 50 }, () => noise);
  assert.equal(filtered(pieces).text.length, MAX_LOGIN_NOISE_BYTES);
  const late = filtered([...pieces, Buffer.from("harness-nonce 5 0\nout")]);
  assert.deepEqual(late, { text: "out", found: { pid: 5, ownGroup: false } });
});

Deno.test("known_hosts, ssh_config: refused over the size limit", async () => {
  const file = await Deno.makeTempFile({ prefix: "harness-large-" });
  try {
    await Deno.truncate(file, SSH_MAX_FILE_BYTES + 1);
    await assert.rejects(readKnownHosts([file]), { code: "too_large" });
    await assert.rejects(hostSettings([file], "web1"), { code: "too_large" });
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("hostSettings: stops at circular includes", async () => {
  const dir = await Deno.makeTempDir({ prefix: "harness-include-" });
  try {
    await Deno.writeTextFile(`${dir}/a`, `Include ${dir}/b ${dir}/b\nUser found\n`);
    await Deno.writeTextFile(`${dir}/b`, `Include ${dir}/a ${dir}/a\nPort 7\n`);
    const settings = await hostSettings([`${dir}/a`], "web1");
    assert.equal(settings.word("user"), "found");
    assert.ok(settings.all("port").length <= 256);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("Executor.run: kills a command that prints endlessly", async () => {
  await using machine = localExecutor();
  for (const script of ["exec yes", "exec yes >&2"]) {
    await assert.rejects(machine.run({ script }), {
      code: "too_large",
      message: /^Cannot finish "script" on this machine: it printed more than 8 MiB/,
    });
  }
});
