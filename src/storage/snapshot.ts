/**
 * The snapshot: the whole state as one file that people can read.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { HarnessError } from "../errors.ts";
import { SNAPSHOT_SLICE_MS } from "./limits.ts";
import type { StoredEntry } from "../registry/entry_text.ts";
import { type Disk, replaceFile } from "./disk.ts";
import { STORAGE_FORMAT } from "./journal/line.ts";
import { readEntry } from "./journal/entry_bytes.ts";
import { crc32 } from "./journal/crc32.ts";
import { Checksum, checksumProblem } from "./checksummed_file.ts";
import { EventLoopSlice } from "../util/steps.ts";
import { VERSION } from "../version.ts";
import { isObject } from "../util/json.ts";

/** Characters that are written at once. */
const CHUNK_LENGTH = 128 * 1024;

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
  /** All entries. */
  services: readonly StoredEntry[];
}

/** The state that was read. */
export interface ReadSnapshot extends Omit<Snapshot, "services"> {
  /** All entries by id; those that this version did not write itself are as in the file, not yet checked. */
  services: Map<string, unknown>;
}

/** What reading a snapshot file gave. */
export type SnapshotRead =
  | { kind: "ok"; snapshot: ReadSnapshot }
  | { kind: "missing" }
  | { kind: "corrupt"; why: string };

const SERVICES = '  "services": [';
const INDENT = "    ";
const WRITER = '  ],\n  "written_by": "';
const END = '"\n}\n';
const NEWLINE = 10;
/** The fields before the services are near the top: no more is searched. */
const MAX_HEAD_BYTES = 4096;

/** Who vouches for the entries: this version, for exactly these bytes. */
function writerOf(crc: number): string {
  return `${VERSION} ${crc.toString(16).padStart(8, "0")}`;
}

/** The lines of the services, many at a time. */
function* servicesText(services: readonly StoredEntry[]): Generator<Buffer> {
  let text = services.length === 0 ? "" : "\n";
  for (const [i, entry] of services.entries()) {
    text += `${INDENT}${entry.text}${i === services.length - 1 ? "\n" : ",\n"}`;
    if (text.length < CHUNK_LENGTH) continue;
    yield Buffer.from(text);
    text = "";
  }
  yield Buffer.from(text);
}

/**
 * The bytes of a snapshot's file. They are made twice, first for the checksum and then for the file, so that they
 * are never all in memory; in slices of {@linkcode SNAPSHOT_SLICE_MS} between which the event loop runs.
 */
export async function* snapshotChunks(snapshot: Snapshot): AsyncGenerator<Buffer> {
  const { epoch, seq, saved_at, services } = snapshot;
  const start = `{\n  "format": ${STORAGE_FORMAT},\n  "epoch": ${JSON.stringify(epoch)},\n` +
    `  "seq": ${seq},\n  "saved_at": ${JSON.stringify(saved_at)},\n`;
  const sum = new Checksum(start).add(SERVICES);
  let crc = 0;
  const slice = new EventLoopSlice(SNAPSHOT_SLICE_MS);
  for (const chunk of servicesText(services)) {
    sum.add(chunk);
    crc = crc32(chunk, crc);
    if (slice.isOver()) await slice.next();
  }
  const end = `${WRITER}${writerOf(crc)}${END}`;
  yield Buffer.from(`${start}${sum.add(end).line()}${SERVICES}`);
  yield* servicesText(services);
  yield Buffer.from(end);
}

/** Replaces the snapshot, atomically; the one before becomes the backup. Returns its bytes. */
export async function saveSnapshot(disk: Disk, dir: string, snapshot: Snapshot): Promise<number> {
  const files = { dir, name: SNAPSHOT_NAME, backupName: BACKUP_NAME };
  return await replaceFile(disk, files, snapshotChunks(snapshot));
}

/**
 * Reads a snapshot.
 *
 * @throws {HarnessError} `storage_unavailable` when a newer program wrote it.
 */
export async function readSnapshot(disk: Disk, path: string): Promise<SnapshotRead> {
  const bytes = await disk.read(path);
  if (bytes === null) return { kind: "missing" };
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const problem = checksumProblem(file);
  const own = problem === null ? readOwn(file) : null;
  if (own !== null) return own;
  let value: unknown;
  try {
    value = JSON.parse(file.toString());
  } catch {
    return { kind: "corrupt", why: problem ?? "it is not JSON" };
  }
  // Before the checksum: a newer format may compute it in another way.
  refuseNewerFormat(path, value);
  if (problem !== null) return { kind: "corrupt", why: problem };
  return parseSnapshot(value);
}

/**
 * Reads a file whose entries this version wrote, without parsing them; `null` for any other, such as one that was
 * edited by hand.
 */
function readOwn(file: Buffer): SnapshotRead | null {
  const head = file.subarray(0, MAX_HEAD_BYTES).indexOf(SERVICES) + SERVICES.length;
  const tail = file.lastIndexOf(`\n${WRITER}`) + 1;
  if (head < SERVICES.length || tail < head) return null;
  const lines = file.subarray(head, tail);
  const end = `${WRITER}${writerOf(crc32(lines))}${END}`;
  if (file.toString("latin1", tail) !== end) return null;
  const read = parseSnapshot(JSON.parse(`${file.toString("utf8", 0, head)}${end}`));
  if (read.kind === "ok") readLines(lines, read.snapshot.services);
  return read;
}

function readLines(lines: Buffer, services: Map<string, unknown>): void {
  let at = lines.indexOf(NEWLINE) + 1;
  while (at > 0 && at < lines.length) {
    const newline = lines.indexOf(NEWLINE, at);
    const isLast = newline === lines.length - 1;
    const entry = readEntry(lines, at + INDENT.length, isLast ? newline : newline - 1);
    services.set(entry.id, entry);
    at = newline + 1;
  }
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
  const byId = new Map(services.map((entry) => [String(entry?.id), entry]));
  return { kind: "ok", snapshot: { epoch, seq: Number(seq), saved_at, services: byId } };
}
