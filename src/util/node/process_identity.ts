/**
 * Whether a process of this machine still runs, by its pid and start time: a pid alone may be another's by now.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { hasErrorCode } from "./files.ts";

/** A start time that cannot be read. */
export const UNKNOWN_START = "-";

/** A process as it is written to a file. */
export interface ProcessIdentity {
  /** Its pid. */
  readonly pid: number;
  /** Its start in the kernel's ticks, or {@linkcode UNKNOWN_START}. */
  readonly started: string;
}

/**
 * Prints /proc/<pid>/stat, or a dash for a process that runs where there is no such file. Deno allows neither
 * question to a process with narrow permissions; a shell may ask.
 */
const ASK = 'if IFS= read -r line 2>/dev/null <"/proc/$1/stat"; then printf %s "$line"; ' +
  'elif [ ! -r /proc/$$/stat ] && ps -p "$1" >/dev/null 2>&1; then printf %s -; fi';
/** How long the shell may take; without an answer the process counts as running. */
const ASK_TIMEOUT_MS = 5_000;

/** This process. */
export async function ownIdentity(): Promise<ProcessIdentity> {
  return { pid: process.pid, started: await startTime(process.pid) ?? UNKNOWN_START };
}

/** Whether that process runs; also where it cannot be told. */
export async function isRunning({ pid, started }: ProcessIdentity): Promise<boolean> {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  const now = await startTime(pid);
  if (now === null) return false;
  return now === started || now === UNKNOWN_START || started === UNKNOWN_START;
}

/** The start time of a process; `null` when there is no such process. */
async function startTime(pid: number): Promise<string | null> {
  try {
    process.kill(pid, 0);
    return startIn(await readFile(`/proc/${pid}/stat`, "utf8"));
  } catch (error) {
    if (hasErrorCode(error, "ESRCH")) return null;
    if (!isDenied(error)) return UNKNOWN_START;
    const answer = await askShell(pid);
    return answer === "" ? null : startIn(answer);
  }
}

/** Another user's process, or one that Deno's permissions do not allow to ask for. */
function isDenied(error: unknown): boolean {
  return hasErrorCode(error, "EPERM") || (error instanceof Error && error.name === "NotCapable");
}

async function askShell(pid: number): Promise<string> {
  const { execFile } = await import("node:child_process");
  return await new Promise((resolve) => {
    const args = ["-c", ASK, "sh", String(pid)];
    execFile("sh", args, { timeout: ASK_TIMEOUT_MS }, (error, stdout) => {
      resolve(error === null ? stdout : UNKNOWN_START);
    });
  });
}

function startIn(stat: string): string {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? UNKNOWN_START;
}
