/**
 * Repairs the state dir after loading: an intact state continues in its segment, anything else begins a new
 * epoch in new files, with the damaged ones set aside.
 *
 * After each step the files load to the same state, should the next one not happen.
 *
 * @module
 */
import type { Disk } from "./disk.ts";
import { Journal, type JournalOptions } from "./journal/journal.ts";
import { JOURNAL_NAME } from "./journal/files.ts";
import type { Loaded } from "./load.ts";
import { BACKUP_NAME, saveSnapshot, SNAPSHOT_NAME } from "./snapshot.ts";

/** The journal to write to, and the seq of the present snapshot. */
export interface Repaired {
  /** Open and ready. */
  journal: Journal;
  /** Seq of the snapshot in its place, or `null`. */
  snapshotSeq: number | null;
}

/** Repairs the state dir and opens the journal. */
export async function repair(options: JournalOptions, loaded: Loaded): Promise<Repaired> {
  const { disk, dir } = options;
  const { chain, seq, damagedFiles, epoch } = loaded;
  const journal = new Journal(options, chain);
  const stamp = new Date().toISOString().replaceAll(":", "-");
  for (const name of [SNAPSHOT_NAME, BACKUP_NAME]) {
    if (damagedFiles.has(name)) await setAside(disk, dir, name, stamp);
  }
  if (epoch !== null && chain.active !== null) {
    await journal.resume(chain.active, seq);
    if (loaded.snapshotSeq === null && damagedFiles.has(SNAPSHOT_NAME)) {
      await snapshot(options, loaded);
      return { journal, snapshotSeq: seq };
    }
    return { journal, snapshotSeq: loaded.snapshotSeq };
  }
  journal.beginAfter(seq);
  const next = await journal.prepareSegment(seq);
  try {
    await snapshot(options, loaded);
    for (const name of damagedFiles) {
      if (name.startsWith(JOURNAL_NAME)) await setAside(disk, dir, name, stamp);
    }
  } catch (error) {
    await next.file.close();
    throw error;
  }
  await journal.swap(next, seq);
  // Twice, so that the backup too belongs to the new epoch: the changes that led there are given up now.
  if (!loaded.fresh) await snapshot(options, loaded);
  await journal.prune(seq);
  return { journal, snapshotSeq: seq };
}

async function snapshot({ disk, dir, epoch }: JournalOptions, loaded: Loaded): Promise<void> {
  const { seq, services } = loaded;
  const saved_at = new Date().toISOString();
  await saveSnapshot(disk, dir, { epoch, seq, saved_at, services: [...services.values()] });
}

async function setAside(disk: Disk, dir: string, name: string, stamp: string): Promise<void> {
  await disk.rename(`${dir}/${name}`, `${dir}/${name}.corrupt-${stamp}`);
  await disk.syncDir(dir);
}
