import assert from "node:assert/strict";
import { digestFile, sha256 } from "../../src/util/node/digest.ts";
import { hasErrorCode, writeSynced } from "../../src/util/node/files.ts";

/** From FIPS 180-2. */
const ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

Deno.test("sha256: text and bytes, as the standard has it", () => {
  assert.equal(sha256("abc"), ABC);
  assert.equal(sha256(new TextEncoder().encode("abc")), ABC);
});

Deno.test("digestFile: digest and size of a written file", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await writeSynced(`${dir}/a`, "abc");
    assert.deepEqual(await digestFile(`${dir}/a`), { sha256: ABC, size: 3 });
    assert.equal(((await Deno.stat(`${dir}/a`)).mode ?? 0) & 0o777, 0o600);
    await assert.rejects(writeSynced(`${dir}/a`, "b"), (e) => hasErrorCode(e, "EEXIST"));
    await assert.rejects(digestFile(`${dir}/b`), (e) => hasErrorCode(e, "EPERM", "ENOENT"));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
