/**
 * The commands that show a unit and read its journal, as data.
 *
 * @module
 */
import type { Command } from "../../../executor/executor.ts";
import { checkedUnit } from "./generated/unit.ts";
import journal from "./journal.sh" with { type: "text" };
import { LOOK_UNIT } from "./library.ts";
import runJournal from "./run_journal.sh" with { type: "text" };

/** Shows a unit. */
export function showCommand(unit: string): Command {
  return { name: "systemd/look", script: LOOK_UNIT, args: [checkedUnit(unit)] };
}

/** Prints the end of a unit's journal; with `sinceMs` only what was written since then. */
export function journalCommand(unit: string, lines: number, sinceMs?: number): Command {
  const since = sinceMs === undefined ? "" : ` --since "@${Math.floor(sinceMs / 1000)}"`;
  const script = `${journal}exec journalctl -n "$h_n"${since} -o cat --no-pager "$@"\n`;
  return { name: "systemd/journal", script, args: [checkedUnit(unit), String(lines)] };
}

/** Prints the end of a unit's journal since it was last started, all of it where that is not known. */
export function runJournalCommand(unit: string, lines: number): Command {
  return {
    name: "systemd/run_journal",
    script: journal + runJournal,
    args: [checkedUnit(unit), String(lines)],
  };
}

/** Prints a unit's journal as it grows. */
export function followJournalCommand(unit: string): Command {
  const script = `${journal}exec journalctl -n "$h_n" -f -o cat --no-pager "$@"\n`;
  return { name: "systemd/follow", script, args: [checkedUnit(unit), "0"] };
}
