/** Signatures, against the real minisign wherever it can tell. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { blake2b } from "@noble/hashes/blake2.js";
import { buildPackage } from "../../src/package/build.ts";
import {
  generateKeyPair,
  requireSignature,
  signPackage,
  verifySignature,
} from "../../src/package/signing/sign.ts";
import { withTempDir } from "./sample_tree.ts";
import { prepare } from "./sign_fixture.ts";

async function flipByte(path: string, at: number): Promise<void> {
  const bytes = await Deno.readFile(path);
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = (bytes[index] ?? 0) ^ 1;
  await Deno.writeFile(path, bytes);
}

/** The line with its middle letter replaced by another one of base64. */
function anotherLetter(line: string): string {
  const middle = Math.floor(line.length / 2);
  return `${line.slice(0, middle)}${line[middle] === "A" ? "B" : "A"}${line.slice(middle + 1)}`;
}

Deno.test("blake2b: as node:crypto at 64 bytes, known value at 32", () => {
  for (const length of [0, 1, 127, 128, 129, 1000]) {
    const data = Uint8Array.from({ length }, (_, i) => i * 7);
    const known = createHash("blake2b512").update(data).digest("hex");
    assert.equal(toHex(blake2b(data, { dkLen: 64 })), known);
  }
  assert.equal(
    toHex(blake2b(new TextEncoder().encode("abc"), { dkLen: 32 })),
    "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319",
  );
});

function toHex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

Deno.test("signPackage: the signature names its package", async () => {
  await withTempDir(async (dir) => {
    const { path, pair } = await prepare(dir);
    for (const legacy of [false, true]) {
      assert.equal(await signPackage(path, { ...pair, legacy }), `${path}.minisig`);
      const sha256 = createHash("sha256").update(await Deno.readFile(path)).digest("hex");
      assert.deepEqual(await verifySignature(path, { trustedKeys: [pair.publicKey] }), {
        status: "valid",
        keyId: pair.keyId,
        trustedComment: `name:hello version:1.0.0 sha256:${sha256}`,
      });
      assert.equal(await requireSignature(path, { trustedKeys: [pair.publicKey] }), pair.keyId);
    }
  });
});

Deno.test("verifySignature: unsigned, unknown key, bad signature", async () => {
  await withTempDir(async (dir) => {
    const { path, pair } = await prepare(dir);
    const other = await generateKeyPair();
    const trusted = { trustedKeys: [other.publicKey, pair.publicKey] };
    const reason = async (options = trusted) => {
      const error = await requireSignature(path, options).then(() => null, (error) => error);
      return error?.code === "package_invalid" ? error.details.reason : error;
    };
    assert.deepEqual(await verifySignature(path, trusted), { status: "unsigned" });
    assert.equal(await reason(), "unsigned");

    await signPackage(path, pair);
    assert.equal((await verifySignature(path, trusted)).status, "valid");
    const without = { trustedKeys: [other.publicKey] };
    assert.deepEqual(await verifySignature(path, without), {
      status: "unknown_key",
      keyId: pair.keyId,
    });
    assert.equal(await reason(without), "unknown_key");
    assert.equal(await reason({ trustedKeys: [] }), "unknown_key");

    const sound = await Deno.readTextFile(`${path}.minisig`);
    const lines = sound.split("\n");
    const bad = [
      sound.replace("version:1.0.0", "version:9.0.0"),
      [lines[0], anotherLetter(lines[1] ?? ""), ...lines.slice(2)].join("\n"),
      [...lines.slice(0, 3), "AAAA", ""].join("\n"),
      "hello\n",
      "",
      "x".repeat(100_000),
    ];
    for (const text of bad) {
      await Deno.writeTextFile(`${path}.minisig`, text);
      const { status } = await verifySignature(path, trusted);
      assert(status === "bad_signature" || status === "unknown_key", `${status}: ${text}`);
    }
    await Deno.writeTextFile(`${path}.minisig`, bad[0] ?? "");
    assert.equal(await reason(), "bad_signature");
  });
});

Deno.test("verifySignature: notices every changed part", async () => {
  await withTempDir(async (dir) => {
    const { path, pair } = await prepare(dir);
    await signPackage(path, pair);
    const [bytes, signature] = [await Deno.readFile(path), await Deno.readFile(`${path}.minisig`)];
    const trusted = { trustedKeys: [pair.publicKey] };
    for (const at of [0, 9, 100, -1]) {
      await flipByte(path, at);
      assert.equal((await verifySignature(path, trusted)).status, "bad_signature");
      await Deno.writeFile(path, bytes);
    }
    // The first line is the untrusted comment: the only part that may change.
    const first = new TextDecoder().decode(signature).indexOf("\n") + 1;
    for (let at = first; at < signature.length - 1; at += 7) {
      await flipByte(`${path}.minisig`, at);
      assert.notEqual((await verifySignature(path, trusted)).status, "valid", `byte ${at}`);
      await Deno.writeFile(`${path}.minisig`, signature);
    }
    assert.equal((await verifySignature(path, trusted)).status, "valid");
  });
});

Deno.test("verifySignature: refuses another package's signature", async () => {
  await withTempDir(async (dir) => {
    const { path, pair } = await prepare(dir);
    const tree = join(dir, "tree");
    const newer = await buildPackage(tree, { outDir: dir, version: "2.0.0" });
    await signPackage(path, pair);
    await signPackage(newer.path, pair);
    const trusted = { trustedKeys: [pair.publicKey] };
    // Under the new one's signature and under its own: whoever asks for 2.0.0 must not get 1.0.0 (D2).
    await Deno.copyFile(path, newer.path);
    assert.equal((await verifySignature(newer.path, trusted)).status, "bad_signature");
    await Deno.copyFile(`${path}.minisig`, `${newer.path}.minisig`);
    const verdict = await verifySignature(newer.path, trusted);
    assert.equal(verdict.status, "bad_signature");
    assert.match(verdict.status === "bad_signature" ? verdict.why : "", /that is hello-1\.0\.0\./);
  });
});

Deno.test("signPackage, verifySignature: refuse invalid keys", async () => {
  await withTempDir(async (dir) => {
    const { path, pair } = await prepare(dir);
    const unreadable = { code: "invalid_params" };
    for (const key of ["", "hello", pair.publicKey, pair.secretKey.slice(0, -20)]) {
      await assert.rejects(signPackage(path, { secretKey: key }), unreadable);
    }
    for (const key of ["", "hello", pair.secretKey, "UldR"]) {
      await assert.rejects(verifySignature(path, { trustedKeys: [key] }), unreadable);
    }
    const error = await signPackage(path, { secretKey: pair.secretKey.slice(0, -20) })
      .catch((error) => error);
    assert(!error.message.includes(pair.secretKey.slice(60, 80)));
  });
});
