/** Signatures, against the real minisign wherever it can tell. */
import { join } from "node:path";
import { buildPackage } from "../../src/package/build.ts";
import { generateKeyPair, type KeyPair } from "../../src/package/signing/sign.ts";
import { writeTree } from "./sample_tree.ts";

/** A package in `dir`, and a key pair in minisign's files. */
export async function prepare(dir: string): Promise<{ path: string; pair: KeyPair }> {
  const tree = await writeTree(join(dir, "tree"));
  const { path } = await buildPackage(tree, { outDir: dir });
  const pair = await generateKeyPair();
  await Deno.writeTextFile(join(dir, "k.pub"), pair.publicKey);
  await Deno.writeTextFile(join(dir, "k.key"), pair.secretKey);
  return { path, pair };
}
