/**
 * Reads the segments of the journal as one chain of changes.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { HarnessError } from "../../errors.ts";
import type { Disk } from "../disk.ts";
import { VERSION } from "../../version.ts";
import { JOURNAL_NAME, type JournalFiles, segmentNumber } from "./files.ts";
import {
  type LineHead,
  type OpenLine,
  parseLine,
  readHead,
  scanSegment,
  STORAGE_FORMAT,
} from "./line.ts";

/** A change in the chain, not parsed beyond its head. */
export interface ChainedLine extends LineHead {
  /** The segment's bytes: a view for each line would cost more than all the rest of loading. */
  file: Buffer;
  /** Where the line begins. */
  start: number;
  /** Where its newline is. */
  end: number;
  /** Whether this version of the program wrote it. */
  isOwn: boolean;
}

/** Where a line is. */
type LinePlace = Pick<ChainedLine, "file" | "start" | "end">;

/** The bytes of a line. */
export function bytesOf({ file, start, end }: LinePlace): Buffer {
  return file.subarray(start, end);
}

/** A finished segment. */
export interface FinishedSegment {
  /** File name. */
  name: string;
  /** Its number. */
  segment: number;
  /** Seq of the last change in it. */
  lastSeq: number;
  /** Its bytes. */
  bytes: number;
}

/** A damage of a journal file. */
export interface JournalDamage {
  /** File name. */
  name: string;
  /** One phrase. */
  what: string;
}

/** A run of missing seqs. */
export interface Gap {
  /** First missing seq. */
  from: number;
  /** Last missing seq. */
  to: number;
}

/** The contents of the journal. */
export interface JournalChain {
  /** The changes, in order. */
  lines: ChainedLine[];
  /** Seq at which the first segment begins, or `null` when there is no journal. */
  startSeq: number | null;
  /** Seq of the last change. */
  lastSeq: number;
  /** The last run's first line. */
  open: OpenLine | null;
  /** Seq before which no change belongs to the present epoch and an unbroken chain. */
  floor: number;
  /** Whether the last run ended cleanly. */
  closed: boolean;
  /** Seqs that are missing. */
  gaps: Gap[];
  /** Lines that are not intact, except torn ends. */
  damage: JournalDamage[];
  /** The finished segments. */
  finished: FinishedSegment[];
  /** The segment being written: its bytes up to the end of its last intact line, and what follows. */
  active: { bytes: number; tornBytes: number; unterminated: boolean } | null;
}

/** Which changes of the journal are kept in memory while it is loaded. */
export interface WantedLines {
  /** All after this seq: the snapshot has the others. */
  afterSeq: number;
  /** And the last ones, so many events at most, */
  lastEvents: number;
  /** or so many bytes. */
  lastBytes: number;
}

/** Reads all segments; of the changes, only those that are wanted are kept. @throws {HarnessError} `storage_unavailable` when a newer program wrote one. */
export async function readChain(
  disk: Disk,
  dir: string,
  files: JournalFiles,
  wanted: WantedLines,
): Promise<JournalChain> {
  const chain: JournalChain = {
    lines: [],
    startSeq: null,
    lastSeq: 0,
    open: null,
    floor: 0,
    closed: false,
    gaps: [],
    damage: [],
    finished: [],
    active: null,
  };
  for (const name of files.finished) {
    const bytes = await readSegment(chain, disk, dir, name);
    const segment = segmentNumber(name);
    chain.finished.push({ name, segment, lastSeq: chain.lastSeq, bytes });
    forget(chain, wanted);
  }
  if (files.active) await readSegment(chain, disk, dir, JOURNAL_NAME);
  return chain;
}

/** Drops old changes, and with them their files' bytes. */
function forget(chain: JournalChain, { afterSeq, lastEvents, lastBytes }: WantedLines): void {
  const { lines } = chain;
  // Nothing is dropped where the oldest is still to be applied.
  if ((lines[0]?.seq ?? Infinity) > afterSeq) return;
  let from = lines.length;
  let bytes = 0;
  while (from > 0) {
    const line = lines[from - 1];
    if (line === undefined) break;
    bytes += line.end - line.start;
    const isLast = bytes <= lastBytes && chain.lastSeq - line.seq < lastEvents;
    if (line.seq <= afterSeq && !isLast) break;
    from--;
  }
  lines.splice(0, from);
}

async function readSegment(
  chain: JournalChain,
  disk: Disk,
  dir: string,
  name: string,
): Promise<number> {
  const bytes = await disk.read(`${dir}/${name}`);
  if (bytes === null) return 0;
  const { file, lines, bad, unterminated } = scanSegment(bytes);
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const [start = 0, end = 0] = [lines[i], lines[i + 1]];
    addLine(chain, { file, start, end }, `${dir}/${name}`);
  }
  const last = bad.at(-1);
  const torn = last !== undefined && last.torn ? last.length : 0;
  for (const { offset, length, torn: isTorn } of bad) {
    if (isTorn) continue;
    chain.damage.push({ name, what: `${length} bytes at offset ${offset} are damaged` });
  }
  if (lines.length === 0) {
    chain.damage.push({ name, what: "it holds no intact line" });
  }
  if (name === JOURNAL_NAME) {
    chain.active = { bytes: bytes.length - torn, tornBytes: torn, unterminated };
  }
  return bytes.length;
}

function addLine(
  chain: JournalChain,
  line: LinePlace,
  path: string,
): void {
  const head = readHead(line.file, line.start);
  chain.closed = false;
  if (head !== null) {
    const isOwn = chain.open?.written_by === VERSION;
    addChange(chain, { ...head, ...line, isOwn });
    return;
  }
  const { open, close } = parseLine(bytesOf(line)) as { open?: OpenLine; close?: unknown };
  if (open !== undefined) addOpen(chain, open, path);
  else if (close !== undefined) chain.closed = true;
}

function addChange(chain: JournalChain, line: ChainedLine): void {
  // A segment without its first line: what came before is unknown.
  if (chain.startSeq === null) chain.startSeq = chain.lastSeq = chain.floor = line.first - 1;
  if (line.first > chain.lastSeq + 1) addGap(chain, line.first - 1);
  // A duplicate (of a segment copied by hand, say): the first one counts.
  if (line.first <= chain.lastSeq) return;
  chain.lines.push(line);
  chain.lastSeq = line.seq;
}

function addOpen(chain: JournalChain, open: OpenLine, path: string): void {
  if (open.format > STORAGE_FORMAT) {
    throw new HarnessError(
      "storage_unavailable",
      `Cannot load ${path}: it has format ${open.format}, and this version reads up to ` +
        `${STORAGE_FORMAT}; start the version that wrote it, or a newer one`,
      { details: { path, format: open.format, supported: STORAGE_FORMAT } },
    );
  }
  if (chain.startSeq === null) chain.startSeq = chain.lastSeq = chain.floor = open.seq;
  if (open.seq > chain.lastSeq) addGap(chain, open.seq);
  // Changes that were refused to their callers because the disk failed: they did not happen.
  while ((chain.lines.at(-1)?.seq ?? 0) > open.seq) chain.lines.pop();
  chain.lastSeq = open.seq;
  for (const file of chain.finished) file.lastSeq = Math.min(file.lastSeq, open.seq);
  if (chain.open !== null && chain.open.epoch !== open.epoch) chain.floor = open.seq;
  chain.open = open;
}

function addGap(chain: JournalChain, to: number): void {
  chain.gaps.push({ from: chain.lastSeq + 1, to });
  chain.lastSeq = to;
  chain.floor = to;
}
