/**
 * Steps `upload`, `verify` and `extract`: bring the package to the host.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import { DEPLOY_EXTRACT_TIMEOUT_MS, DEPLOY_UPLOAD_STALL_MS } from "../limits.ts";
import { extractCommand, uploadCommand, verifyCommand } from "../host/release/commands.ts";
import type { HostContext, StepResult } from "../host/context.ts";
import { stateText, withRelease } from "../host/state.ts";
import type { DeployPackage } from "../plan.ts";
import { onlyInspected } from "../../package/prefix_digests.ts";

/** Sends the package, unless the host has it, which unpacks what was inspected while it arrives. */
export async function upload(context: HostContext): Promise<StepResult> {
  const source = packageOf(context);
  if (source === null) return { skipped: true, message: "the release is installed" };
  if (isCached(context, source)) {
    return { skipped: true, message: "the host has this package", bytes: 0 };
  }
  const stall = new AbortController();
  const sent = watched(await bytesOf(source), {
    onBytes: (bytes) =>
      context.news({
        bytes,
        total_bytes: source.size,
        percent: source.size === 0 ? 100 : Math.min(100, Math.floor(bytes * 100 / source.size)),
      }),
    onStall: () =>
      stall.abort(
        new HarnessError(
          "timeout",
          `Cannot upload ${source.file} to ${context.target.label}: no progress for ${
            DEPLOY_UPLOAD_STALL_MS / 1000
          } s; check the network`,
        ),
      ),
  });
  try {
    const result = await context.machine.run(uploadCommand(context.place, sizes(source)), {
      stdin: sent.stream,
      signal: AbortSignal.any([context.signal, stall.signal]),
    });
    context.check(result);
  } finally {
    await sent.end();
  }
  if (sent.bytes() !== source.size) {
    throw new HarnessError(
      "deploy_failed",
      `Cannot upload ${source.file}: it has ${sent.bytes()} bytes instead of ${source.size}; do not change it during an upload`,
      { details: { reason: "size" } },
    );
  }
  return { bytes: source.size };
}

/** Checks the digest on the host, of a package that was not inspected every entry too, and caches it there. */
export async function verify(context: HostContext): Promise<StepResult> {
  const source = packageOf(context);
  if (source === null) return { skipped: true };
  const { sha256 } = source;
  await context.run(
    verifyCommand(context.place, { ...sizes(source), sha256, cached: isCached(context, source) }),
    { timeoutMs: DEPLOY_EXTRACT_TIMEOUT_MS },
  );
  return { message: `sha256 ${source.sha256.slice(0, 12)}…` };
}

/** Unpacks beside the final place what is not yet unpacked, checks every file, and renames. */
export async function extract(context: HostContext): Promise<StepResult> {
  const source = packageOf(context);
  if (source === null) return { skipped: true };
  // The release is recorded before its directory is made, so that every directory is known.
  context.state = withRelease(context.state, context.chosen);
  const { place, chosen } = context;
  await context.send(
    stateText(context.state),
    (bytes) => extractCommand(place, chosen, { sha256: source.sha256, size: source.size, bytes }),
    { timeoutMs: DEPLOY_EXTRACT_TIMEOUT_MS },
  );
  return { message: context.chosen.dir };
}

/** The package to install, or `null` if its files are there. */
function packageOf(context: HostContext): DeployPackage | null {
  return context.plan.kind === "deploy" && context.needsFiles ? context.plan.package : null;
}

function sizes({ size, inspected }: DeployPackage): { size: number; inspected: boolean } {
  return { size, inspected: inspected !== undefined };
}

/** The bytes of the package; of one that was inspected no others. */
async function bytesOf(source: DeployPackage): Promise<ReadableStream<Uint8Array>> {
  const bytes = await source.open();
  if (source.inspected === undefined) return bytes;
  return onlyInspected(bytes, source.inspected, () =>
    new HarnessError(
      "deploy_failed",
      `Cannot upload ${source.file}: its bytes are not those that were checked; do not change it during an upload`,
      { details: { reason: "digest" } },
    ));
}

function isCached(context: HostContext, source: DeployPackage): boolean {
  return context.known.cached === source.sha256;
}

/** A stream that reports the bytes that passed, and when it stalls. */
function watched(
  source: ReadableStream<Uint8Array>,
  on: { onBytes: (bytes: number) => void; onStall: () => void },
): { stream: ReadableStream<Uint8Array>; bytes: () => number; end: () => Promise<void> } {
  let bytes = 0;
  let timer = setTimeout(on.onStall, DEPLOY_UPLOAD_STALL_MS);
  const reader = source.getReader();
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      // A pull means that the previous chunk was consumed.
      clearTimeout(timer);
      timer = setTimeout(on.onStall, DEPLOY_UPLOAD_STALL_MS);
      if (bytes > 0) on.onBytes(bytes);
      const { value, done } = await reader.read();
      if (done) {
        controller.close();
        return;
      }
      bytes += value.byteLength;
      controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
  const end = async () => {
    clearTimeout(timer);
    // A no-op after the end; after a failure it closes the file.
    await reader.cancel().catch(() => {});
  };
  return { stream, bytes: () => bytes, end };
}
