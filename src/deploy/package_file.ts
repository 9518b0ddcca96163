/**
 * A package file on this machine as what a deployment installs.
 *
 * @module
 */
import { open } from "node:fs/promises";
import { basename } from "node:path";
import { inspectPackage } from "../package/read.ts";
import type { DeployPackage } from "./plan.ts";

const CHUNK_BYTES = 256 * 1024;

/**
 * Reads a package file whole, to check it, and opens it again for each host that needs it: if it has changed by then, the
 * deployment fails.
 *
 * @example Usage
 * ```ts ignore
 * const steps = deploy({
 *   kind: "deploy",
 *   deploymentId: "d-1",
 *   package: await packageFile("dist/web-1.0.0.tar.gz"),
 *   hosts: [sshHostDirectory().resolve("deploy@web1")],
 * });
 * ```
 *
 * @throws {HarnessError} `package_invalid`, or the error of the file system.
 */
export async function packageFile(path: string): Promise<DeployPackage> {
  const { manifest, sha256, size, prefixes } = await inspectPackage(path);
  const inspected = prefixes === undefined ? undefined : { sha256, size, prefixes };
  return { file: basename(path), manifest, sha256, size, inspected, open: () => openFile(path) };
}

/** Not `Readable.toWeb()`: in Deno 2.9 that throws an uncatchable error once cancelled. */
async function openFile(path: string): Promise<ReadableStream<Uint8Array>> {
  const handle = await open(path, "r");
  return new ReadableStream({
    async pull(controller) {
      try {
        const { bytesRead, buffer } = await handle.read(
          new Uint8Array(CHUNK_BYTES),
          0,
          CHUNK_BYTES,
        );
        if (bytesRead > 0) return controller.enqueue(buffer.subarray(0, bytesRead));
        await handle.close();
        controller.close();
      } catch (error) {
        await handle.close();
        throw error;
      }
    },
    cancel: () => handle.close(),
  }, { highWaterMark: 0 });
}
