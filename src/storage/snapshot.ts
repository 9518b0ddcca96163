/**
 * The snapshot: the whole state as one file that people can read.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { HarnessError } from "../errors.ts";
import { SNAPSHOT_SLICE_MS } from "./limits.ts";
import type { ServiceEntry } from "../model/service.ts";
import { entryTexts } from "../registry/entry_text.ts";
import { type Disk, replaceFile } from "./disk.ts";
import { STORAGE_FORMAT } from "./journal/line.ts";
import { ChecksummedFile, checksumProblem } from "./checksummed_file.ts";
import { sleep } from "../util/async.ts";

/** Name of the snapshot in the state dir. */
export const SNAPSHOT_NAME = "registry.json";
/** Name of the snapshot before it. */
export const BACKUP_NAME = "registry.json.bak";

/** The state at one seq. */
export interface Snapshot {
  /** Lineage of the data. */
  epoch: string;
  /** Seq of the last change contained. */
  seq: number;
  /** When it was saved. */
  saved_at: string;
  /** All entries; when read, not yet checked. */
  services: readonly ServiceEntry[];
}

/** What reading a snapshot file gave. */
export type SnapshotRead =
  | { kind: "ok"; snapshot: Snapshot }
  | { kind: "missing" }
  | { kind: "corrupt"; why: string };

/**
 * Turns a snapshot into the bytes of its file, in slices of {@linkcode SNAPSHOT_SLICE_MS} between which the
 * event loop runs.
 */
export async function encodeSnapshot(snapshot: Snapshot): Promise<Buffer[]> {
  const { epoch, seq, saved_at, services } = snapshot;
  const builder = new ChecksummedFile(
    `{\n  "format": ${STORAGE_FORMAT},\n  "epoch": ${JSON.stringify(epoch)},\n  "seq": ${seq},\n` +
      `  "saved_at": ${JSON.stringify(saved_at)},\n`,
  );
  let text = '  "services": [';
  let sliceEnd = performance.now() + SNAPSHOT_SLICE_MS;
  for (const [i, entry] of services.entries()) {
    text += `${i === 0 ? "\n" : ",\n"}    ${entryTexts.peek(entry)}`;
    if (text.length < 32 * 1024) continue;
    builder.add(text);
    text = "";
    if (performance.now() < sliceEnd) continue;
    // Not setImmediate(): Deno does not poll its sockets before the next of those.
    await sleep(0);
    sliceEnd = performance.now() + SNAPSHOT_SLICE_MS;
  }
  builder.add(`${text}${services.length === 0 ? "" : "\n  "}]\n}\n`);
  return builder.finish();
}

/** Replaces the snapshot, atomically; the one before becomes the backup. */
export async function saveSnapshot(disk: Disk, dir: string, snapshot: Snapshot): Promise<void> {
  const chunks = await encodeSnapshot(snapshot);
  await replaceFile(disk, { dir, name: SNAPSHOT_NAME, backupName: BACKUP_NAME }, chunks);
}

/**
 * Reads a snapshot.
 *
 * @throws {HarnessError} `storage_unavailable` when a newer program wrote it.
 */
export async function readSnapshot(disk: Disk, path: string): Promise<SnapshotRead> {
  const bytes = await disk.read(path);
  if (bytes === null) return { kind: "missing" };
  const problem = checksumProblem(bytes);
  let file: unknown;
  try {
    file = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
  } catch {
    return { kind: "corrupt", why: problem ?? "it is not JSON" };
  }
  // Before the checksum: a newer format may compute it in another way.
  refuseNewerFormat(path, file);
  if (problem !== null) return { kind: "corrupt", why: problem };
  return parseSnapshot(file);
}

function refuseNewerFormat(path: string, file: unknown): void {
  const format = isObject(file) ? file.format : undefined;
  if (!Number.isSafeInteger(format) || Number(format) <= STORAGE_FORMAT) return;
  throw new HarnessError(
    "storage_unavailable",
    `Cannot load ${path}: it has format ${format}, and this version reads up to ${STORAGE_FORMAT}; ` +
      "start the version that wrote it, or a newer one",
    { details: { path, format, supported: STORAGE_FORMAT } },
  );
}

function parseSnapshot(file: unknown): SnapshotRead {
  if (!isObject(file)) return { kind: "corrupt", why: "it is not an object" };
  const { epoch, seq, saved_at, services } = file;
  if (
    typeof epoch !== "string" || !Number.isSafeInteger(seq) || typeof saved_at !== "string" ||
    !Array.isArray(services)
  ) {
    return { kind: "corrupt", why: "a field is missing or of the wrong type" };
  }
  return { kind: "ok", snapshot: { epoch, seq: Number(seq), saved_at, services } };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
