/** A package of a given size. */
import { buildPackage } from "../../src/package/build.ts";
import { buildHello } from "../helpers/hello_package.ts";

/** Builds examples/hello-service with `bytes` of noise, which gzip does not shrink; returns the path. */
export async function buildLarge(
  dir: string,
  { version, port, bytes }: { version: string; port: number; bytes: number },
): Promise<string> {
  const small = await buildHello(dir, { version, port });
  const names = [...Deno.readDirSync(dir)].map(({ name }) => name);
  const tree = `${dir}/${names.find((name) => name.startsWith("tree-"))}`;
  await Deno.remove(small.path);
  await Deno.mkdir(`${tree}/config`, { recursive: true });
  const noise = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65_536) {
    crypto.getRandomValues(noise.subarray(at, at + 65_536));
  }
  await Deno.writeFile(`${tree}/config/noise`, noise);
  return (await buildPackage(tree, { outDir: dir })).path;
}
