/**
 * The files of the journal: the segment being written, and the finished ones.
 *
 * @module
 */
import type { Disk } from "../disk.ts";

/** Name of the segment being written. */
export const JOURNAL_NAME = "registry.journal";
/** Name under which a new segment is prepared. */
export const NEW_JOURNAL_NAME = "registry.journal.new";

const FINISHED = /^registry\.journal\.(\d{8})$/;

/** Name of a finished segment. */
export function segmentName(segment: number): string {
  return `${JOURNAL_NAME}.${String(segment).padStart(8, "0")}`;
}

/** The journal's files in a state dir. */
export interface JournalFiles {
  /** Names of the finished segments, oldest first. */
  finished: string[];
  /** Whether the segment being written is there. */
  active: boolean;
}

/**
 * Lists the journal's files, after finishing a change of segments that a crash cut short.
 */
export async function listJournalFiles(disk: Disk, dir: string): Promise<JournalFiles> {
  const names = await disk.list(dir);
  let active = names.includes(JOURNAL_NAME);
  if (names.includes(NEW_JOURNAL_NAME)) {
    // The old segment was put aside and the new one did not come into its place, or nothing was done yet.
    if (active) await disk.remove(`${dir}/${NEW_JOURNAL_NAME}`);
    else await disk.rename(`${dir}/${NEW_JOURNAL_NAME}`, `${dir}/${JOURNAL_NAME}`);
    active = true;
  }
  return { finished: names.filter((name) => FINISHED.test(name)).sort(), active };
}

/** The number in the name of a finished segment. */
export function segmentNumber(name: string): number {
  return Number(FINISHED.exec(name)?.[1] ?? 0);
}
