/**
 * Lines of the journal. Each is one JSON object that begins with its own checksum and length:
 *
 * ```text
 * {"crc":"<8 hex>","len":"<8 hex>",<rest>}\n
 * ```
 *
 * `crc` is the CRC-32 (as in zip) of the bytes from `"len"` to the closing brace; `len` is the number of
 * bytes after the comma that follows it, without the newline. So a line can be checked before it is
 * parsed, and a torn write (fewer bytes than `len`, at the end of the file) is distinguished from damage.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { crc32 } from "./crc32.ts";
import type { Durability } from "../durability.ts";
import type { ServiceEntry } from "../../model/service.ts";
import { entryText } from "../../registry/entry_text.ts";
import type { EventBody, RegistryEvent } from "../../model/event.ts";
import type { CommitRecord } from "../../registry/store.ts";

/** The newest format of journal and snapshot that this program writes and reads. */
export const STORAGE_FORMAT = 1;

/** Bytes before the checked part: `{"crc":"xxxxxxxx",`. */
const CRC_PART = 18;
/** Bytes before the counted part: the above and `"len":"xxxxxxxx",`. */
const HEAD = 35;
const NEWLINE = 10;
const BRACE = 123;
/** Where the digits of the two begin. */
const CRC_AT = 8;
const LENGTH_AT = 25;
/** The first bytes of every line; each 0 is a hex digit. */
const HEAD_SHAPE = '{"crc":"00000000","len":"00000000",';

/** First line of a segment, and of each run within it. */
export interface OpenLine {
  /** Format of the lines that follow. */
  format: number;
  /** Number of the segment, one more for each. */
  segment: number;
  /** Lineage of the data. */
  epoch: string;
  /** Seq of the last change before; anything later in earlier lines is void. */
  seq: number;
  /** Whether acknowledged lines were synced. */
  durability: Durability;
  /** When the run or segment began. */
  at: string;
  /** Version of the program that wrote the lines that follow. */
  written_by?: string;
}

/** A stretch of a file that is no intact line. */
export interface BadStretch {
  /** Where it begins. */
  offset: number;
  /** Its bytes. */
  length: number;
  /** Whether it is the unfinished end of the last write, as a crash leaves it. */
  torn: boolean;
}

/** The contents of a segment. */
export interface SegmentScan {
  /** The file's bytes. */
  file: Buffer;
  /** Its intact lines, in order, each as two numbers: where it begins, and where its newline is. */
  lines: number[];
  /** The stretches that are not intact. */
  bad: BadStretch[];
  /** Whether only the newline of the last line is missing. */
  unterminated: boolean;
}

/** The bytes of a line, newline included; `value` must not be empty. */
export function encodeLine(value: Record<string, unknown>): Buffer {
  return lineOf(JSON.stringify(value).slice(1));
}

/** The bytes of a line whose text after the length is `rest`. */
function lineOf(rest: string): Buffer {
  // Encoded once; the length and the sum of the bytes are written into them.
  const line = Buffer.from(`${HEAD_SHAPE}${rest}\n`);
  const end = line.length - 1;
  writeHex(line, LENGTH_AT, end - HEAD);
  writeHex(line, CRC_AT, crc32(line.subarray(CRC_PART, end)));
  return line;
}

/** Writes a number as 8 hex digits. */
function writeHex(line: Buffer, at: number, value: number): void {
  let rest = value;
  for (let i = at + 7; i >= at; i--) {
    const digit = rest & 15;
    line[i] = digit < 10 ? 48 + digit : 87 + digit;
    rest >>>= 4;
  }
}

/** The line of a change. `first` and `id` come first so that loading need not parse every line. */
export function encodeRecord(record: CommitRecord): Buffer {
  const { seq, time, put, remove, events } = record;
  const head = { seq, first: seq - events.length + 1, id: put?.id ?? remove, time };
  const rest = JSON.stringify({
    remove,
    events: events.map((event) => toJournal(event, record)),
  });
  if (put === undefined) return lineOf(`${JSON.stringify(head).slice(1, -1)},${rest.slice(1)}`);
  // The entry's text is made once, for the journal, the event and the answers.
  const text = Object.isFrozen(put) ? entryText(put) : JSON.stringify(put);
  return lineOf(`${JSON.stringify(head).slice(1, -1)},"put":${text},${rest.slice(1)}`);
}

/** An event as the journal has it: seq and time follow from the line, an entry equal to `put` is left out. */
function toJournal({ event, data }: RegistryEvent, { put }: CommitRecord): unknown {
  if (put === undefined || !("entry" in data) || data.entry !== put) return { event, data };
  return { event, data: { service: data.service, id: data.id } };
}

/** The head of a change's line. */
export interface LineHead {
  /** Seq of its last event. */
  seq: number;
  /** Seq of its first event. */
  first: number;
  /** The entry it puts or removes. */
  id: string | null;
}

const SEQ = '"seq":';
const FIRST = ',"first":';
const ID = ',"id":"';
const TIME = ',"time":';
const QUOTE = 34;
const MAX_ID_BYTES = 512;

/** Reads the head of the line that begins at `start`; `null` when it is not a change's. */
export function readHead(file: Buffer, start: number): LineHead | null {
  // By hand: a start does this for every line, and a regular expression needs a string of its own each time.
  let at = skip(file, start + HEAD, SEQ);
  const seq = readNumber(file, at);
  at = skip(file, endOfNumber(file, at), FIRST);
  const first = readNumber(file, at);
  at = endOfNumber(file, at);
  if (at < 0) return null;
  const idAt = skip(file, at, ID);
  if (idAt < 0) return skip(file, at, TIME) < 0 ? null : { seq, first, id: null };
  let idEnd = idAt;
  while (file[idEnd] !== QUOTE) if (idEnd++ - idAt >= MAX_ID_BYTES) return null;
  if (skip(file, idEnd + 1, TIME) < 0) return null;
  return { seq, first, id: file.toString("latin1", idAt, idEnd) };
}

/** The place after `text`, or -1 where it is not at `at`. */
function skip(file: Buffer, at: number, text: string): number {
  if (at < 0) return -1;
  for (let i = 0; i < text.length; i++) if (file[at + i] !== text.charCodeAt(i)) return -1;
  return at + text.length;
}

function endOfNumber(file: Buffer, at: number): number {
  let end = at;
  while (isDigit(file[end])) end++;
  return at < 0 || end === at ? -1 : end;
}

function readNumber(file: Buffer, at: number): number {
  let number = 0;
  for (let i = at; isDigit(file[i]); i++) number = 10 * number + (file[i] ?? 0) - 48;
  return number;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 48 && byte <= 57;
}

/** Parses an intact line. */
export function parseLine(line: Buffer): Record<string, unknown> {
  return JSON.parse(line.toString());
}

/** The record of a change's line. */
export function toCommitRecord(line: Buffer): CommitRecord {
  const { seq, first, time, put, remove, events } = parseLine(line) as
    & Pick<CommitRecord, "seq" | "time" | "put" | "remove">
    & { first: number; events: EventBody[] };
  return {
    seq,
    time,
    put,
    remove,
    events: events.map((body, i) => fromJournal(body, { seq: first + i, time, put })),
  };
}

/** The event again of what {@linkcode toJournal} left of it. */
function fromJournal(
  { event, data }: EventBody,
  { seq, time, put }: { seq: number; time: string; put: ServiceEntry | undefined },
): RegistryEvent {
  const isEntryEvent = event === "service_registered" || event === "service_updated";
  const whole = isEntryEvent && !("entry" in data) ? { ...(data as object), entry: put } : data;
  return { event, data: whole, seq, time } as RegistryEvent;
}

/** Finds the intact lines of a segment; skips over damage to the next newline. */
export function scanSegment(file: Uint8Array): SegmentScan {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const scan: SegmentScan = { file: bytes, lines: [], bad: [], unterminated: false };
  let at = 0;
  while (at < bytes.length) {
    const end = lineEnd(bytes, at);
    if (end > 0) {
      scan.lines.push(at, end);
      if (bytes[end] === NEWLINE) {
        at = end + 1;
        continue;
      }
      // Space that was allocated and never written begins right where the newline belongs.
      const unwritten = bytes.subarray(end).every((byte) => byte === 0);
      scan.unterminated = unwritten;
      const length = unwritten ? bytes.length - end : 1;
      if (end < bytes.length) scan.bad.push({ offset: end, length, torn: unwritten });
      at = unwritten ? bytes.length : end + 1;
      continue;
    }
    const newline = bytes.indexOf(NEWLINE, at);
    const next = newline < 0 ? bytes.length : newline + 1;
    scan.bad.push({ offset: at, length: next - at, torn: newline < 0 && isTorn(bytes, at) });
    at = next;
  }
  return scan;
}

/**
 * Offsets of the lines of a file that was written by this run, or checked when it began: two numbers each, up
 * to the first incomplete one. Their checksums are not checked again.
 */
export function lineEnds(bytes: Buffer): number[] {
  const lines: number[] = [];
  for (let at = 0; at + HEAD <= bytes.length && bytes[at] === BRACE;) {
    const end = at + HEAD + claimedLength(bytes, at);
    if (!(end < bytes.length) || bytes[end] !== NEWLINE) break;
    lines.push(at, end);
    at = end + 1;
  }
  return lines;
}

/** Where the intact line that begins at `at` ends, or -1. */
function lineEnd(bytes: Buffer, at: number): number {
  if (at + HEAD > bytes.length || bytes[at] !== BRACE) return -1;
  const end = at + HEAD + claimedLength(bytes, at);
  // Not `>`: a length that is no number is wrong too.
  if (!(end <= bytes.length)) return -1;
  if (bytes.toString("latin1", at, at + 8) !== '{"crc":"') return -1;
  return crc32(bytes.subarray(at + CRC_PART, end)) === hexNumber(bytes, at + CRC_AT) ? end : -1;
}

function claimedLength(bytes: Buffer, at: number): number {
  return hexNumber(bytes, at + LENGTH_AT);
}

/** Parses 8 hex digits in lower case; NaN if invalid. Loading reads two for each line. */
function hexNumber(bytes: Buffer, at: number): number {
  let number = 0;
  for (let i = at; i < at + 8; i++) {
    const c = bytes[i] ?? 0;
    const digit = c >= 48 && c <= 57 ? c - 48 : c >= 97 && c <= 102 ? c - 87 : NaN;
    number = number * 16 + digit;
  }
  return number;
}

/** Whether the rest of a file, which has no newline, is what a crash leaves of an unfinished write. */
function isTorn(bytes: Buffer, at: number): boolean {
  const rest = bytes.length - at;
  // Space that was allocated and never written reads as zeros.
  if (bytes[bytes.length - 1] === 0) return true;
  if (rest < HEAD) return isStartOfHead(bytes.toString("latin1", at, bytes.length));
  return claimedLength(bytes, at) > rest - HEAD;
}

function isStartOfHead(text: string): boolean {
  return [...text].every((c, i) =>
    HEAD_SHAPE[i] === "0" ? /[0-9a-f]/.test(c) : HEAD_SHAPE[i] === c
  );
}
