/**
 * Entries that this version wrote: taken from a file as they are, without parsing them.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { type EntryHead, headOf, StoredEntry } from "../../registry/entry_text.ts";
import type { ServiceEntry } from "../../model/service.ts";

const ID = '{"id":"';
const NAME = '","name":"';
/** None of these can be part of a string: its quotes are escaped. */
const NEEDS = '"depends_on":[';
const TTL = '"ttl_ms":';
const REVISION = /"revision":(\d+)/;

/** What a line that puts an entry begins with. */
const PUT = /^\{"crc":"\w+","len":"\w+","seq":\d+,"first":\d+,"id":"[^"]*","time":"[^"]*","put":/;
const EVENTS = ',"events":[';
/** The fields before the entry are shorter than this, with the longest id. */
const MAX_PUT_BYTES = 1024;

/** The entry that a line of the journal puts; `null` where it must be parsed to know. */
export function readPut(line: Buffer): StoredEntry | null {
  const start = PUT.exec(line.toString("latin1", 0, MAX_PUT_BYTES))?.[0].length;
  if (start === undefined) return null;
  const end = line.indexOf(EVENTS, start);
  return end < 0 ? null : readEntry(line, start, end);
}

/** The entry whose JSON text is between two places of a file. */
export function readEntry(file: Buffer, start: number, end: number): StoredEntry {
  const head = readHead(file, start, end) ?? headOf(parse(file, start, end));
  return new StoredEntry(head, file.subarray(start, end));
}

/** The head of an entry; `null` where its text does not look as nearly all do. */
function readHead(file: Buffer, start: number, end: number): EntryHead | null {
  // One character for each byte: places in the text are places in the file.
  const text = file.toString("latin1", start, end);
  const idEnd = text.indexOf('"', ID.length);
  const nameAt = idEnd + NAME.length;
  const nameEnd = text.indexOf('"', nameAt);
  const needsAt = text.indexOf(NEEDS, nameEnd) + NEEDS.length;
  const needsEnd = text.indexOf("]", needsAt);
  if (!text.startsWith(ID) || !text.startsWith(NAME, idEnd)) return null;
  if (needsAt < NEEDS.length || needsEnd < 0) return null;
  // Not slices of the text: those would keep all of it in memory.
  const id = file.toString("latin1", start + ID.length, start + idEnd);
  const isSame = nameEnd - nameAt === id.length && text.startsWith(id, nameAt);
  const name = isSame ? id : file.toString("latin1", start + nameAt, start + nameEnd);
  if (id.includes("\\") || name.includes("\\")) return null;
  const depends_on = needsAt === needsEnd
    ? []
    : JSON.parse(file.toString("utf8", start + needsAt - 1, start + needsEnd + 1));
  const revision = Number(REVISION.exec(text)?.[1] ?? NaN);
  return { id, name, depends_on, revision, mayExpire: text.includes(TTL) };
}

function parse(file: Buffer, start: number, end: number): ServiceEntry {
  return JSON.parse(file.toString("utf8", start, end));
}
