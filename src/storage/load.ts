/**
 * Loads the newest intact snapshot and the journal after it, and reports what was lost.
 *
 * Changes nothing on the disk except that it completes an interrupted change of segments; see repair.ts.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import { HISTORY_RING_BYTES, MIN_HISTORY_EVENTS } from "./limits.ts";
import type { ServiceEntry } from "../model/service.ts";
import { StoredEntry, storedOf } from "../registry/entry_text.ts";
import type { Disk } from "./disk.ts";
import { bytesOf, type ChainedLine, type JournalChain, readChain } from "./journal/chain.ts";
import { JOURNAL_NAME, listJournalFiles } from "./journal/files.ts";
import { toCommitRecord } from "./journal/line.ts";
import { readPut } from "./journal/entry_bytes.ts";
import { LineRing } from "./line_ring.ts";
import {
  BACKUP_NAME,
  type ReadSnapshot,
  readSnapshot,
  SNAPSHOT_NAME,
  type SnapshotRead,
} from "./snapshot.ts";

/** The loaded state. */
export interface Loaded {
  /** The epoch to continue, or `null` when a new one must begin. */
  epoch: string | null;
  /** Seq of the last change. */
  seq: number;
  /** All entries by id. */
  services: Map<string, StoredEntry>;
  /** The last changes. */
  ring: LineRing;
  /** The contents of the journal's files. */
  chain: JournalChain;
  /** Seq of the present snapshot, or `null` when there is no intact one. */
  snapshotSeq: number | null;
  /** Whether the state dir was empty. */
  fresh: boolean;
  /** Whether anything needs repair. */
  damaged: boolean;
  /** Names of the damaged files, to be set aside. */
  damagedFiles: Set<string>;
  /** What was repaired or lost, one sentence each. */
  warnings: string[];
}

/** What is kept of the last changes. */
export interface HistoryOptions {
  /** Events that are looked for. @default {MIN_HISTORY_EVENTS} */
  keep?: number | undefined;
  /** Bytes at most. @default {HISTORY_RING_BYTES} */
  maxBytes?: number | undefined;
}

/** Reads everything in the state dir. @throws {HarnessError} `storage_unavailable`. */
export async function load(
  disk: Disk,
  dir: string,
  history: HistoryOptions = {},
): Promise<Loaded> {
  const main = await readSnapshot(disk, `${dir}/${SNAPSHOT_NAME}`);
  const backup: SnapshotRead = main.kind === "ok"
    ? { kind: "missing" }
    : await readSnapshot(disk, `${dir}/${BACKUP_NAME}`);
  const found = [main, backup].find((read) => read.kind === "ok");
  const base: ReadSnapshot | null = found?.kind === "ok" ? found.snapshot : null;
  const wanted = {
    afterSeq: base?.seq ?? 0,
    lastEvents: history.keep ?? MIN_HISTORY_EVENTS,
    lastBytes: history.maxBytes ?? HISTORY_RING_BYTES,
  };
  const chain = await readChain(disk, dir, await listJournalFiles(disk, dir), wanted);
  const fresh = base === null && chain.startSeq === null && chain.damage.length === 0 &&
    main.kind === "missing" && backup.kind === "missing";
  const entries = base?.services ?? new Map<string, unknown>();
  applyChain(entries, chain, base?.seq ?? 0);
  const { services, invalid } = await checked(entries);
  const loaded: Loaded = {
    epoch: null,
    seq: Math.max(base?.seq ?? 0, chain.lastSeq),
    services,
    ring: new LineRing(0, history.maxBytes),
    chain,
    snapshotSeq: main.kind === "ok" ? main.snapshot.seq : null,
    fresh,
    damaged: false,
    damagedFiles: new Set(chain.damage.map(({ name }) => name)),
    warnings: [],
  };
  if (fresh) return loaded;
  if (invalid.length > 0 && main.kind === "ok") loaded.damagedFiles.add(SNAPSHOT_NAME);
  const lost = [...journalLosses(chain, base), ...invalid];
  reportSnapshots(loaded, main, backup, lost.length > 0 ? "" : ": nothing is lost");
  loaded.warnings.push(...lost);
  loaded.epoch = lost.length > 0 ? null : continuedEpoch(loaded, main);
  loaded.damaged = lost.length > 0 || loaded.damagedFiles.size > 0 ||
    (chain.active?.tornBytes ?? 0) > 0;
  const recent = loaded.epoch === null ? [] : recentLines(chain, wanted);
  loaded.ring = new LineRing(loaded.seq, history.maxBytes);
  for (const line of recent) loaded.ring.add(line.first, line.seq, bytesOf(line));
  return loaded;
}

/** Applies the changes after `baseSeq`; only the last one of each entry, which contains it whole. */
function applyChain(services: Map<string, unknown>, chain: JournalChain, baseSeq: number): void {
  const seen = new Set<string>();
  for (let i = chain.lines.length - 1; i >= 0; i--) {
    const line = chain.lines[i];
    if (line === undefined || line.seq <= baseSeq) break;
    if (line.id === null || seen.has(line.id)) continue;
    seen.add(line.id);
    const own = line.isOwn ? readPut(bytesOf(line)) : null;
    if (own?.id === line.id) {
      services.set(line.id, own);
      continue;
    }
    const { put } = toCommitRecord(bytesOf(line));
    if (put === undefined) services.delete(line.id);
    else services.set(line.id, put);
  }
}

/**
 * The valid entries, and a sentence for each of the others: only another program can have written those, as the
 * checksums match.
 */
async function checked(
  found: Map<string, unknown>,
): Promise<{ services: Map<string, StoredEntry>; invalid: string[] }> {
  const invalid: string[] = [];
  for (const [id, entry] of found) {
    if (entry instanceof StoredEntry) continue;
    const { serviceEntrySchema } = await import("../model/entry_schema.ts");
    const result = serviceEntrySchema.safeParse(entry);
    if (result.success && result.data.id === id) {
      found.set(id, storedOf(entry as ServiceEntry));
      continue;
    }
    found.delete(id);
    const { path, message } = result.error?.issues[0] ?? { path: ["id"], message: "is another" };
    invalid.push(
      `The entry "${id}" is not valid (${path.join(".")}: ${message}): it was left out`,
    );
  }
  return { services: found as Map<string, StoredEntry>, invalid };
}

function reportSnapshots(
  loaded: Loaded,
  main: SnapshotRead,
  backup: SnapshotRead,
  consequence: string,
): void {
  if (main.kind === "ok") return;
  const { startSeq, lines } = loaded.chain;
  const instead = backup.kind === "ok"
    ? `${BACKUP_NAME} and the journal were loaded instead`
    : "the journal alone was loaded";
  if (main.kind === "corrupt") {
    loaded.damagedFiles.add(SNAPSHOT_NAME);
    loaded.warnings.push(`${SNAPSHOT_NAME} is damaged (${main.why}); ${instead}${consequence}`);
  } else if (backup.kind !== "missing" || (startSeq ?? 0) > 0 || lines.length > 0) {
    // The first snapshot is there before the first change can be.
    loaded.warnings.push(`${SNAPSHOT_NAME} is missing; ${instead}${consequence}`);
  }
  if (backup.kind === "corrupt") {
    loaded.damagedFiles.add(BACKUP_NAME);
    loaded.warnings.push(`${BACKUP_NAME} is damaged (${backup.why})`);
  }
}

/** The changes missing between the snapshot and the end of the journal, as far as can be known. */
function journalLosses(chain: JournalChain, base: ReadSnapshot | null): string[] {
  const losses = chain.damage.map(({ name, what }) => `${name}: ${what}`);
  const from = base?.seq ?? 0;
  if (chain.startSeq !== null && chain.startSeq > from) {
    losses.push(
      `${changes(from + 1, chain.startSeq)} lost: ` +
        `${
          base === null ? "there is no good snapshot" : "the snapshot is older"
        } and the journal begins later`,
    );
  }
  for (const gap of chain.gaps) {
    if (gap.to <= from) continue;
    const missing = changes(Math.max(gap.from, from + 1), gap.to);
    losses.push(`${missing} missing from the journal: lost`);
  }
  const after = `changes after ${Math.max(from, chain.lastSeq)}, if there were any, are lost`;
  if (chain.active === null) losses.push(`${JOURNAL_NAME} is missing: ${after}`);
  else if (chain.open === null) losses.push(`${JOURNAL_NAME} has no intact first line: ${after}`);
  else if (chain.lastSeq < from) {
    losses.push(`${JOURNAL_NAME} ends before the snapshot: ${after}`);
  }
  return losses;
}

/** The epoch when all seqs are still valid, else `null`. */
function continuedEpoch(loaded: Loaded, main: SnapshotRead): string | null {
  const { chain, warnings } = loaded;
  if (chain.open === null) return null;
  if (main.kind === "ok" && main.snapshot.epoch !== chain.open.epoch) {
    warnings.push(
      "An earlier repair was interrupted: a new epoch begins, subscribers get a snapshot",
    );
    return null;
  }
  if (chain.open.durability === "async" && !chain.closed) {
    warnings.push(
      "The last run had durability async and was not shut down cleanly: its last changes may be lost, " +
        "a new epoch begins",
    );
    return null;
  }
  const { tornBytes } = chain.active ?? { tornBytes: 0 };
  if (tornBytes > 0) {
    warnings.push(
      `${JOURNAL_NAME}: ${tornBytes} bytes of an unfinished write were cut; nothing acknowledged is lost`,
    );
  }
  return chain.open.epoch;
}

function changes(from: number, to: number): string {
  return from === to ? `Change ${from} is` : `Changes ${from} to ${to} are`;
}

/** The newest changes of the present epoch's unbroken chain, as many as fit. */
function recentLines(
  chain: JournalChain,
  { lastEvents, lastBytes }: { lastEvents: number; lastBytes: number },
): ChainedLine[] {
  const recent: ChainedLine[] = [];
  let count = 0;
  let bytes = 0;
  for (let i = chain.lines.length - 1; i >= 0 && count < lastEvents; i--) {
    const line = chain.lines[i];
    if (line === undefined || line.first <= chain.floor) break;
    bytes += line.end - line.start;
    if (bytes > lastBytes) break;
    count += line.seq - line.first + 1;
    recent.push(line);
  }
  return recent.reverse();
}

/** The error for a damaged state in strict mode. */
export function strictRefusal(dir: string, loaded: Loaded): HarnessError {
  return new HarnessError(
    "storage_unavailable",
    `Cannot load ${dir}: it is damaged, and strict mode repairs nothing: ${
      loaded.warnings.join("; ")
    }. ` +
      "Restore a copy, or start once without strict mode to repair it",
    { details: { dir, warnings: loaded.warnings } },
  );
}
