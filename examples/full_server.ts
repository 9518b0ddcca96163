// deno-lint-ignore-file no-console
/**
 * A full server from the library: file store, packages, deployments, supervision. On Deno, Node 22 and Bun.
 *
 * ```sh
 * TOKEN=… deno run -A examples/full_server.ts ./state 8080
 * ```
 *
 * @module
 */
import process from "node:process";
import {
  Documents,
  FileStore,
  openControlPlane,
  PackageStore,
  Registry,
  serve,
  sshHostDirectory,
} from "@harness/service-registry";

const [dir = "./state", port = "8080"] = process.argv.slice(2);
const tokens = process.env["TOKEN"]?.split(",") ?? [];
const registry = await Registry.open(new FileStore({ dir }));
const controlPlane = await openControlPlane({
  registry,
  packages: await PackageStore.open(`${dir}/packages`),
  documents: new Documents({ dir }),
  hosts: sshHostDirectory(),
  localRunRoot: `${dir}/run`,
});
const server = await serve({ ...controlPlane, port: Number(port), auth: { tokens } });
console.log(`listening on ${server.url}`);

process.once("SIGTERM", async () => {
  await server.shutdown();
  await controlPlane.close();
  await registry.close();
});
