/**
 * The journal's writing end.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { type Disk, type DiskFile, writeAll } from "../disk.ts";
import type { FinishedSegment, JournalChain } from "./chain.ts";
import { JOURNAL_NAME, NEW_JOURNAL_NAME, segmentName } from "./files.ts";
import type { Durability } from "../durability.ts";
import { encodeLine, type OpenLine, STORAGE_FORMAT } from "./line.ts";
import { VERSION } from "../../version.ts";

/** Parameters of one run of the journal. */
export interface JournalOptions {
  /** The files. */
  disk: Disk;
  /** State dir. */
  dir: string;
  /** Lineage of the data. */
  epoch: string;
  /** Whether lines are synced before they are acknowledged. */
  durability: Durability;
}

/** A new segment that is on the disk but not in place yet. */
export interface PreparedSegment {
  /** The open file. */
  file: DiskFile;
  /** Its bytes so far. */
  bytes: number;
  /** Which file it is, whatever its name. */
  identity: string | null;
}

/** The segment being written and the list of finished ones. One caller at a time. */
export class Journal {
  readonly #options: JournalOptions;
  #file: DiskFile | null = null;
  #written = 0;
  #segment: number;
  #bytes = 0;
  #finished: FinishedSegment[];
  /** Which file the segment being written is. */
  #identity: string | null = null;
  /** The file after a failure: while it is open, no other file can get its identity. */
  #failed: DiskFile | null = null;
  #floor: number;

  /** A journal that continues `chain`; nothing is open yet. */
  constructor(options: JournalOptions, chain: JournalChain) {
    this.#options = options;
    this.#finished = [...chain.finished];
    this.#segment = Math.max(chain.open?.segment ?? 0, this.#finished.at(-1)?.segment ?? 0);
    this.#floor = Math.max(chain.floor, chain.startSeq ?? 0);
  }

  /** Seq after which all changes of the present epoch are in the files. */
  get floor(): number {
    return this.#floor;
  }

  /** The files, oldest first; the active one ends with `seq`. */
  segments(seq: number): FinishedSegment[] {
    const active = { name: JOURNAL_NAME, segment: this.#segment, lastSeq: seq, bytes: this.#bytes };
    return [...this.#finished, active];
  }

  /** Marks everything up to `seq` as void: a new epoch begins there. */
  beginAfter(seq: number): void {
    this.#floor = seq;
  }

  /** Bytes in the segment being written, all of them accepted. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Continues the present segment after its last intact line, and records the new run there. */
  async resume(active: NonNullable<JournalChain["active"]>, seq: number): Promise<void> {
    const { disk, dir } = this.#options;
    this.#file = await disk.append(`${dir}/${JOURNAL_NAME}`);
    this.#identity = await disk.identity(`${dir}/${JOURNAL_NAME}`);
    this.#bytes = active.bytes;
    if (active.tornBytes > 0) await this.#file.truncate(active.bytes);
    const end = active.unterminated ? "\n" : "";
    const line = this.#openLine(seq, this.#segment);
    await this.append([Buffer.from(end), line]);
    await this.sync();
    this.accept();
  }

  /** Writes lines. They count only after {@linkcode accept}. */
  async append(lines: readonly Buffer[]): Promise<void> {
    if (this.#file === null) throw new Error("the journal is not open");
    await writeAll(this.#file, lines.length === 1 && lines[0] ? lines[0] : Buffer.concat(lines));
    this.#written += lines.reduce((sum, line) => sum + line.length, 0);
  }

  /** Resolves when everything written is on the medium. */
  async sync(): Promise<void> {
    await this.#file?.sync();
  }

  /** Accepts what was written: a later {@linkcode cutBack} keeps it. */
  accept(): void {
    this.#bytes += this.#written;
    this.#written = 0;
  }

  /** After a failure: tries to truncate what was written and not accepted. Nothing more is written to the file. */
  async cutBack(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    this.#written = 0;
    if (file === null) return;
    this.#failed = file;
    await file.truncate(this.#bytes);
    await file.sync();
  }

  /** Whether the file that is written to is still the one with the journal's name. */
  async isInPlace(): Promise<boolean> {
    const { disk, dir } = this.#options;
    return this.#identity !== null &&
      await disk.identity(`${dir}/${JOURNAL_NAME}`) === this.#identity;
  }

  /** Whether the present segment is gone. One that {@linkcode swap} has put aside is not. */
  get isCut(): boolean {
    return this.#finished.at(-1)?.segment !== this.#segment;
  }

  /** Writes the first line of a new segment that continues after `seq`, beside the present one. */
  async prepareSegment(seq: number): Promise<PreparedSegment> {
    const { disk, dir } = this.#options;
    const line = this.#openLine(seq, this.#segment + 1);
    const file = await disk.create(`${dir}/${NEW_JOURNAL_NAME}`);
    try {
      await writeAll(file, line);
      await file.sync();
      await disk.syncDir(dir);
      const identity = await disk.identity(`${dir}/${NEW_JOURNAL_NAME}`);
      return { file, bytes: line.length, identity };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Replaces the present segment, which ends with `lastSeq`, by a prepared one. */
  async swap(next: PreparedSegment, lastSeq: number): Promise<void> {
    const { disk, dir } = this.#options;
    try {
      const names = await disk.list(dir);
      if (names.includes(JOURNAL_NAME)) {
        const name = segmentName(this.#segment);
        await disk.rename(`${dir}/${JOURNAL_NAME}`, `${dir}/${name}`);
        this.#finished.push({ name, segment: this.#segment, lastSeq, bytes: this.#bytes });
      }
      await disk.rename(`${dir}/${NEW_JOURNAL_NAME}`, `${dir}/${JOURNAL_NAME}`);
      // From here on the new file is in place, whether or not that is on the medium yet.
      this.#segment++;
      this.#identity = next.identity;
      await disk.syncDir(dir);
    } catch (error) {
      await next.file.close();
      throw error;
    }
    await this.#file?.close();
    await this.#closeFailed();
    this.#file = next.file;
    this.#bytes = next.bytes;
    this.#written = 0;
  }

  /** Starts a new segment. */
  async rotate(seq: number): Promise<void> {
    await this.sync();
    await this.swap(await this.prepareSegment(seq), seq);
  }

  /** Removes the finished segments without changes after `seq`. */
  async prune(seq: number): Promise<void> {
    const { disk, dir } = this.#options;
    for (const { name, lastSeq } of [...this.#finished]) {
      if (lastSeq > seq) break;
      this.#floor = Math.max(this.#floor, lastSeq);
      await disk.remove(`${dir}/${name}`);
      this.#finished.shift();
    }
  }

  /** Bytes of the finished segments without changes after `seq`. */
  bytesUpTo(seq: number): number {
    return this.#finished.reduce((sum, { lastSeq, bytes }) => lastSeq > seq ? sum : sum + bytes, 0);
  }

  /** Records the clean end of the run, and closes the file. */
  async close(seq: number): Promise<void> {
    await this.#closeFailed();
    const file = this.#file;
    if (file === null) return;
    try {
      await this.append([encodeLine({ close: { seq, at: new Date().toISOString() } })]);
      await file.sync();
    } finally {
      this.#file = null;
      await file.close();
    }
  }

  /** Closes the files as they are, after a failure. */
  async abandon(): Promise<void> {
    await this.#closeFailed();
    await this.#file?.close();
    this.#file = null;
  }

  async #closeFailed(): Promise<void> {
    const file = this.#failed;
    this.#failed = null;
    await file?.close();
  }

  #openLine(seq: number, segment: number): Buffer {
    const { epoch, durability } = this.#options;
    const at = new Date().toISOString();
    const run = { format: STORAGE_FORMAT, segment, epoch, seq, durability, at };
    const open: OpenLine = { ...run, written_by: VERSION };
    return encodeLine({ open });
  }
}
