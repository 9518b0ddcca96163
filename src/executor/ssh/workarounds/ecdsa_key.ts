/**
 * Rebuilds ECDSA private keys so that Deno accepts them.
 *
 * ssh2 copies the number from an OpenSSH key file into a SEC1 structure unchanged: one byte longer when its first bit is
 * set, shorter when it begins with zeros. OpenSSL accepts that; Deno's node:crypto does not, which made half of all ECDSA
 * keys unusable.
 *
 * Upstream: ssh2 1.17 and Deno 2.9, no issue known. RFC 5915 asks for a number of fixed length.
 * Remove when: tests/executor/ecdsa_key_system_test.ts passes without it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createPrivateKey, type KeyObject, sign } from "node:crypto";
// @ts-types="@types/ssh2"
import type { ParsedKey } from "ssh2";

const CURVES: Record<string, { crv: string; bytes: number; hash: string }> = {
  "ecdsa-sha2-nistp256": { crv: "P-256", bytes: 32, hash: "sha256" },
  "ecdsa-sha2-nistp384": { crv: "P-384", bytes: 48, hash: "sha384" },
  "ecdsa-sha2-nistp521": { crv: "P-521", bytes: 66, hash: "sha512" },
};

/** The content of the element of `tag` at `at` in DER, and where it ends; lengths up to 65,535. */
function element(der: Buffer, at: number, tag: number): { start: number; end: number } {
  if (der[at] !== tag) throw new TypeError("Cannot read an EC private key: unexpected DER tag");
  const first = der[at + 1] ?? 0;
  const extra = first < 0x80 ? 0 : first & 0x7f;
  const length = extra === 0 ? first : der.readUIntBE(at + 2, extra);
  const start = at + 2 + extra;
  return { start, end: start + length };
}

/** The private number in a SEC1 structure, in exactly `bytes` bytes. */
function privateNumber(pem: string, bytes: number): Buffer {
  const der = Buffer.from(pem.replace(/-----[^-]+-----/g, ""), "base64");
  const version = element(der, element(der, 0, 0x30).start, 0x02);
  const octets = element(der, version.end, 0x04);
  const number = der.subarray(octets.start, octets.end);
  const padded = Buffer.concat([Buffer.alloc(bytes), number]);
  return padded.subarray(padded.length - bytes);
}

/** The point of a public key in SSH form: its last string, without the byte for uncompressed. */
function publicPoint(key: ParsedKey, bytes: number): Buffer {
  const blob = Buffer.from(key.getPublicSSH());
  return blob.subarray(blob.length - 2 * bytes);
}

function keyObject(key: ParsedKey, curve: { crv: string; bytes: number }): KeyObject {
  const point = publicPoint(key, curve.bytes);
  return createPrivateKey({
    format: "jwk",
    key: {
      kty: "EC",
      crv: curve.crv,
      d: privateNumber(key.getPrivatePEM(), curve.bytes).toString("base64url"),
      x: point.subarray(0, curve.bytes).toString("base64url"),
      y: point.subarray(curve.bytes).toString("base64url"),
    },
  });
}

/** Makes an ECDSA private key sign under Deno as well; other keys stay as they are. */
export function repairEcdsaKey(key: ParsedKey): void {
  const curve = CURVES[key.type];
  if (curve === undefined) return;
  const usable = keyObject(key, curve);
  key.sign = (data) => sign(curve.hash, Buffer.from(data), { key: usable, dsaEncoding: "der" });
}
