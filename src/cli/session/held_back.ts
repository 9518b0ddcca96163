/**
 * What is sent while it is checked.
 *
 * @module
 */
import type { PackageSummary } from "../../package/read.ts";

/** A package that is being checked, or was. */
export interface PackageCheck {
  /** Its content, or the error of an invalid one; never unhandled. */
  readonly summary: Promise<PackageSummary>;
  /** Resolves when so many bytes of the file were checked, and at the end of the check. */
  reached(bytes: number): Promise<void>;
}

/** As far as the server may be ahead of the check: it takes a client that sends nothing for 30 s as stalled. */
const HEAD_START_BYTES = 8 * 1024 * 1024;

/** A stream that fails with the check, is ahead of it by {@linkcode HEAD_START_BYTES}, and whose last chunk waits for it. */
export function heldBack(
  source: ReadableStream<Uint8Array>,
  check: PackageCheck,
): ReadableStream<Uint8Array> {
  let failed: { error: unknown } | null = null;
  check.summary.catch((error) => failed = { error });
  const reader = source.getReader();
  let next: ReturnType<typeof reader.read> | undefined;
  let bytes = 0;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value, done } = await (next ?? reader.read());
      bytes += value?.length ?? 0;
      await check.reached(bytes - HEAD_START_BYTES);
      if (failed !== null) throw failed.error;
      if (done) return controller.close();
      next = reader.read();
      if ((await next).done) await check.summary;
      controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}
