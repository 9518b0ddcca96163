/** Builds examples/hello-service in a given version, listening on a given port. */
import { buildPackage, type BuiltPackage } from "../../src/package/build.ts";

export { freePort } from "./free_port.ts";

const TREE = new URL("../../examples/hello-service/", import.meta.url).pathname;

/** What to change of the example. */
export interface HelloOptions {
  /** Version. */
  version: string;
  /** Port. */
  port: number;
  /** Replaces text in the manifest. */
  manifest?: (text: string) => string;
  /** Replaces scripts/start.sh. */
  start?: string;
  /** Replaces scripts/health.sh. */
  health?: string;
}

/** Builds the package into `dir`. */
export async function buildHello(dir: string, options: HelloOptions): Promise<BuiltPackage> {
  const tree = await Deno.makeTempDir({ dir, prefix: "tree-" });
  await copyTree(TREE, tree);
  const path = `${tree}/manifest.yaml`;
  const text = (await Deno.readTextFile(path))
    .replace(/^version: .*$/m, `version: ${options.version}`)
    .replace(/port: \d+/, `port: ${options.port}`);
  await Deno.writeTextFile(path, options.manifest?.(text) ?? text);
  if (options.start !== undefined) {
    await Deno.writeTextFile(`${tree}/scripts/start.sh`, options.start);
  }
  if (options.health !== undefined) {
    await Deno.writeTextFile(`${tree}/scripts/health.sh`, options.health);
  }
  return await buildPackage(tree, { outDir: dir });
}

async function copyTree(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const entry of Deno.readDir(from)) {
    if (entry.isDirectory) await copyTree(`${from}/${entry.name}`, `${to}/${entry.name}`);
    else await Deno.copyFile(`${from}/${entry.name}`, `${to}/${entry.name}`);
  }
}

/**
 * What the service says of itself. Over a connection of its own: one from before may just be closed by the service,
 * which keeps it for five seconds.
 */
export async function answer(port: number): Promise<{ version: string; pid: number }> {
  using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  return await (await fetch(`http://127.0.0.1:${port}/`, { client })).json();
}

/** Uploads a built package to a server. */
export async function upload(
  http: string,
  built: Pick<BuiltPackage, "path">,
): Promise<string> {
  const file = built.path.slice(built.path.lastIndexOf("/") + 1);
  const response = await fetch(`${http}/packages/${file}`, {
    method: "PUT",
    body: await Deno.readFile(built.path),
  });
  if (!response.ok) throw new Error(`PUT ${file}: ${response.status} ${await response.text()}`);
  await response.body?.cancel();
  return file;
}
