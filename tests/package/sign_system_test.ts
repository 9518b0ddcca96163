/** Signatures, against the real minisign wherever it can tell. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { generateKeyPair, signPackage, verifySignature } from "../../src/package/signing/sign.ts";
import { needs } from "../helpers/require.ts";
import { run, withTempDir } from "./sample_tree.ts";
import { prepare } from "./sign_fixture.ts";

const noMinisign = needs("minisign");

Deno.test({
  name: "signPackage: minisign accepts it, hashed and legacy",
  ignore: noMinisign,
  fn: async () => {
    await withTempDir(async (dir) => {
      const { path, pair } = await prepare(dir);
      for (const legacy of [false, true]) {
        await signPackage(path, { ...pair, legacy });
        const said = await run("minisign", "-V", "-p", join(dir, "k.pub"), "-m", path);
        assert.match(said, /Signature and comment signature verified/);
        assert.match(said, /Trusted comment: name:hello version:1\.0\.0 sha256:[0-9a-f]{64}/);
      }
    });
  },
});

Deno.test({
  name: "verifySignature: minisign's own, hashed and legacy",
  ignore: noMinisign,
  fn: async () => {
    await withTempDir(async (dir) => {
      const { path } = await prepare(dir);
      const [pub, key] = [join(dir, "m.pub"), join(dir, "m.key")];
      await run("minisign", "-G", "-W", "-p", pub, "-s", key);
      const publicKey = await Deno.readTextFile(pub);
      for (const flags of [["-S"], ["-S", "-l"]]) {
        await run("minisign", ...flags, "-s", key, "-m", path, "-t", "by hand");
        const trustedKeys = [publicKey.split("\n")[1] ?? ""];
        const verdict = await verifySignature(path, { trustedKeys });
        assert.equal(verdict.status, "valid");
        assert.equal(verdict.status === "valid" && verdict.trustedComment, "by hand");
      }
      await signPackage(path, { secretKey: await Deno.readTextFile(key) });
      await run("minisign", "-V", "-p", pub, "-m", path);
    });
  },
});

Deno.test({
  name: "verifySignature: checks every claim of the comment",
  ignore: noMinisign,
  fn: async () => {
    await withTempDir(async (dir) => {
      const { path } = await prepare(dir);
      const [pub, key] = [join(dir, "m.pub"), join(dir, "m.key")];
      await run("minisign", "-G", "-W", "-p", pub, "-s", key);
      const trustedKeys = [await Deno.readTextFile(pub)];
      const sha256 = createHash("sha256").update(await Deno.readFile(path)).digest("hex");
      const status = async (comment: string) => {
        await run("minisign", "-S", "-s", key, "-m", path, "-t", comment);
        return (await verifySignature(path, { trustedKeys })).status;
      };
      for (
        const wrong of [
          "name:hello version:9.0.0",
          "version:9.0.0",
          "timestamp:1\tname:other",
          `name:hello version:1.0.0 sha256:${"0".repeat(64)}`,
          `name:hello version:1.0.0 sha256:${sha256} version:9.0.0`,
        ]
      ) assert.equal(await status(wrong), "bad_signature", wrong);
      for (
        const right of [
          "name:hello version:1.0.0",
          `timestamp:1\tfile:hello-1.0.0.tar.gz\tsha256:${sha256}`,
          "the name: see the manifest",
        ]
      ) assert.equal(await status(right), "valid", right);
    });
  },
});

Deno.test({
  name: "generateKeyPair: minisign uses its encrypted key",
  ignore: noMinisign,
  fn: async () => {
    await withTempDir(async (dir) => {
      const { path } = await prepare(dir);
      const pair = await generateKeyPair({ password: "pä ss" });
      const [pub, key] = [join(dir, "e.pub"), join(dir, "e.key")];
      await Deno.writeTextFile(pub, pair.publicKey);
      await Deno.writeTextFile(key, pair.secretKey);
      await run("sh", "-c", `printf 'pä ss\\n' | minisign -S -s '${key}' -m '${path}'`);
      await run("minisign", "-V", "-p", pub, "-m", path);
      const trustedKeys = [pair.publicKey];
      assert.equal((await verifySignature(path, { trustedKeys })).status, "valid");
      await signPackage(path, { secretKey: pair.secretKey, password: "pä ss" });
      assert.equal((await verifySignature(path, { trustedKeys })).status, "valid");
      const wrong = signPackage(path, { secretKey: pair.secretKey, password: "no" });
      await assert.rejects(wrong, /the password is wrong/);
      await assert.rejects(signPackage(path, pair), /it is encrypted: give its password/);
    });
  },
});
