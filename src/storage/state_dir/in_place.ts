/**
 * Whether the state dir is still the one that was opened: it may be deleted, moved or replaced while the server runs,
 * and what is written to its open files then is lost.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import type { Disk } from "../disk.ts";
import { JOURNAL_NAME } from "../journal/files.ts";
import type { Journal } from "../journal/journal.ts";
import type { OwnerLock } from "./owner_lock.ts";
import { readSnapshot, SNAPSHOT_NAME } from "../snapshot.ts";

/** The files that are held open. */
export interface HeldFiles {
  /** State dir. */
  dir: string;
  /** Its journal. */
  journal: Journal;
  /** Its lock. */
  lock: OwnerLock;
}

/**
 * Checks that the files that are open are those of the directory: two `stat`s.
 *
 * @throws {HarnessError} `storage_unavailable`.
 */
export async function assertInPlace({ dir, journal, lock }: HeldFiles): Promise<void> {
  const [isJournal, isLock] = await Promise.all([journal.isInPlace(), lock.isInPlace()]);
  if (isJournal && isLock) return;
  const what = isJournal ? "its registry.lock" : "its registry.journal";
  throw new HarnessError(
    "storage_unavailable",
    `the state directory ${dir} or ${what} was deleted, moved or replaced; put it back, or make ${dir} again`,
    { details: { reason: "state_dir_gone", dir } },
  );
}

/** What belongs to the data in memory. */
export interface OwnData {
  /** Lineage. */
  epoch: string;
  /** Seq of the snapshot that was saved last, or `null`. */
  snapshotSeq: number | null;
}

/**
 * Checks that a directory has no other data: none at all, or only our last snapshot.
 *
 * @throws {HarnessError} `storage_unavailable` when it has: that must not be overwritten. The disk's error when there
 * is no directory.
 */
export async function assertVacant(disk: Disk, dir: string, own: OwnData): Promise<void> {
  const names = await disk.list(dir);
  const read = await readSnapshot(disk, `${dir}/${SNAPSHOT_NAME}`);
  const isOurs = read.kind === "ok" && read.snapshot.epoch === own.epoch &&
    read.snapshot.seq === own.snapshotSeq;
  if (!names.includes(JOURNAL_NAME) && (isOurs || read.kind === "missing")) return;
  throw new HarnessError(
    "storage_unavailable",
    `the state directory ${dir} was replaced by one with other data; restart the server to load that`,
    { details: { reason: "state_dir_replaced", dir } },
  );
}
