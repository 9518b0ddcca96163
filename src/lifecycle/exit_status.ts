/**
 * Exit codes and signals, as numbers and as text.
 *
 * @module
 */

/** Signal names by number as on Linux x86-64 and arm64. */
const SIGNALS: Readonly<Record<number, string>> = {
  1: "SIGHUP",
  2: "SIGINT",
  3: "SIGQUIT",
  4: "SIGILL",
  5: "SIGTRAP",
  6: "SIGABRT",
  7: "SIGBUS",
  8: "SIGFPE",
  9: "SIGKILL",
  10: "SIGUSR1",
  11: "SIGSEGV",
  12: "SIGUSR2",
  13: "SIGPIPE",
  14: "SIGALRM",
  15: "SIGTERM",
  24: "SIGXCPU",
  25: "SIGXFSZ",
  31: "SIGSYS",
};

/** How something ended. */
export interface ExitStatus {
  /** Exit code, or `null`. */
  exitCode: number | null;
  /** Signal name, or `null`. */
  signal: string | null;
}

/** The name of signal `number`, such as `SIGTERM`. */
export function signalName(number: number): string {
  return SIGNALS[number] ?? `signal ${number}`;
}

/** Reads an exit code as a shell gives it: 128 + n is signal n. Also returns a text for people. */
export function statusFromCode(code: string): { facts: ExitStatus; text: string } {
  const number = /^\d+$/.test(code) ? Number(code) : NaN;
  if (Number.isNaN(number)) {
    return { facts: { exitCode: null, signal: null }, text: "ended, exit code unknown" };
  }
  if (number > 128 && SIGNALS[number - 128] !== undefined) {
    const signal = signalName(number - 128);
    return { facts: { exitCode: null, signal }, text: `ended by ${signal}` };
  }
  return {
    facts: { exitCode: number, signal: null },
    text: `exited with code ${number}${hint(number)}`,
  };
}

/** How it ended, as text: "exited with code 3", "ended by SIGKILL". */
export function describeEnd(end: ExitStatus): string {
  if (end.signal !== null) return `ended by ${end.signal}`;
  if (end.exitCode !== null) return `exited with code ${end.exitCode}${hint(end.exitCode)}`;
  return "ended, exit code unknown";
}

function hint(code: number): string {
  if (code === 126) return " (could not be executed)";
  if (code === 127) return " (a command was not found)";
  return "";
}
