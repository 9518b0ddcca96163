/**
 * Events of the journal's files, for subscribers that resume from before what is kept in memory.
 *
 * A file is read whole but parsed only where it is asked for. One read at a time, and the last file stays in
 * memory for the next part: however many resume at once, they hold one file.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Mutex } from "../../util/mutex.ts";
import type { RegistryEvent } from "../../model/event.ts";
import type { Disk } from "../disk.ts";
import type { FinishedSegment } from "./chain.ts";
import { lineEnds, readHead, toCommitRecord } from "./line.ts";
import { sleep } from "../../util/async.ts";

/** The journal's files at this moment. */
export interface JournalSegments {
  /** Seq before the first change of the files. */
  readonly floor: number;
  /** The files, oldest first; the last one is being written. */
  segments(): FinishedSegment[];
}

/** Which events to read. */
export interface EventsWanted {
  /** Events after this seq. */
  after: number;
  /** Events at most. */
  limit: number;
  /** Bytes of journal at most, but for the first change. */
  maxBytes: number;
}

/** Lines one after the other. */
export interface Lines {
  readonly bytes: Buffer;
  /** Where its changes begin and end, two numbers each, as far as they are intact. */
  readonly lines: readonly number[];
  /** Seq of the last event in them; lines after it were refused, and are void. */
  readonly lastSeq: number;
}

interface LoadedSegment extends Omit<Lines, "lastSeq"> {
  readonly segment: number;
}

/** Attempts of a read while files are renamed under it. */
const ATTEMPTS = 50;
/** Pause between them: a rename may take as long as a sync of the disk. */
const PAUSE_MS = 5;

/** Reads events from the files of a journal. */
export class JournalHistory {
  readonly #disk: Disk;
  readonly #dir: string;
  readonly #reading = new Mutex();
  #loaded: LoadedSegment | null = null;

  /** Reads in a state dir. */
  constructor(disk: Disk, dir: string) {
    this.#disk = disk;
    this.#dir = dir;
  }

  /** Events after a seq, in order and without a gap, or `null` when not all are kept. */
  async read(journal: JournalSegments, wanted: EventsWanted): Promise<RegistryEvent[] | null> {
    return await this.#reading.runExclusive(async () => {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (wanted.after < journal.floor) break;
        const segment = journal.segments().find(({ lastSeq }) => lastSeq > wanted.after);
        if (segment === undefined) return [];
        const events = await this.#readFrom(segment, wanted);
        if (events.length > 0) return events;
        this.#loaded = null;
        await sleep(PAUSE_MS);
      }
      return null;
    });
  }

  /** Drops the file in memory. */
  close(): void {
    this.#loaded = null;
  }

  /** The events of one file, from the one after `after` on: none when it is not there. */
  async #readFrom(file: FinishedSegment, wanted: EventsWanted): Promise<RegistryEvent[]> {
    const { lastSeq } = file;
    const known = this.#loaded?.segment === file.segment
      ? eventsOf({ ...this.#loaded, lastSeq }, wanted)
      : [];
    if (known.length > 0) return known;
    const bytes = await this.#disk.read(`${this.#dir}/${file.name}`);
    if (bytes === null) return [];
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#loaded = { segment: file.segment, bytes: buffer, lines: lineEnds(buffer) };
    return eventsOf({ ...this.#loaded, lastSeq }, wanted);
  }
}

/** The events of some lines, from the one after `after` on. */
export function eventsOf(
  { bytes, lines, lastSeq }: Lines,
  { after, limit, maxBytes }: EventsWanted,
): RegistryEvent[] {
  const events: RegistryEvent[] = [];
  let size = 0;
  let next = after + 1;
  for (let at = indexAfter(bytes, lines, after); at + 1 < lines.length; at += 2) {
    const [start = 0, end = 0] = [lines[at], lines[at + 1]];
    const head = readHead(bytes, start);
    if (head === null || head.seq <= after) continue;
    if (head.seq > lastSeq || head.first > next) break;
    if (events.length >= limit || (events.length > 0 && size + end - start > maxBytes)) break;
    size += end - start;
    next = head.seq + 1;
    for (const event of toCommitRecord(bytes.subarray(start, end)).events) {
      if (event.seq > after && events.length < limit) events.push(event);
    }
  }
  return events;
}

/** Index of the last line that is surely not after the first change that ends after a seq. */
function indexAfter(bytes: Buffer, lines: readonly number[], seq: number): number {
  let low = 0;
  let high = lines.length / 2;
  while (high - low > 8) {
    const middle = (low + high) >>> 1;
    // A line that is not a change has no seq: use the one before it.
    let at = middle;
    let head = null;
    while (at > low && (head = readHead(bytes, lines[2 * at] ?? 0)) === null) at--;
    if (head !== null && head.seq <= seq) low = middle;
    else high = at;
  }
  return 2 * low;
}
