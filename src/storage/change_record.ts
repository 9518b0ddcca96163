/**
 * Checks a proposed change and turns it into a record; for both single-node stores.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import type { RegistryEvent } from "../model/event.ts";
import type { Change, CommitRecord } from "../registry/store.ts";

/** The record of a change that follows `seq`. */
export function toRecord(change: Change, seq: number): CommitRecord {
  const { put, remove, events, time } = change;
  return {
    seq: seq + events.length,
    time,
    put,
    remove,
    events: events.map((body, i): RegistryEvent => ({ ...body, seq: seq + i + 1, time })),
  };
}

/**
 * Checks that a change is well formed and that its condition holds.
 *
 * @param revisionOf The revision an id has, counting changes on their way to the disk; 0 = none.
 * @throws {HarnessError} `conflict`.
 */
export function checkChange(change: Change, revisionOf: (id: string) => number): void {
  if (change.events.length === 0) throw new Error("a change must have at least one event");
  if (change.put !== undefined && change.remove !== undefined) {
    throw new Error("a change puts or removes one entry, not both");
  }
  const id = change.put?.id ?? change.remove;
  if (id === undefined || change.if_revision === undefined) return;
  const revision = revisionOf(id);
  if (revision === change.if_revision) return;
  throw new HarnessError(
    "conflict",
    `Cannot change "${id}": its stored revision is ${revision}, not ${change.if_revision}; read it again`,
    { details: { id, revision, if_revision: change.if_revision } },
  );
}
