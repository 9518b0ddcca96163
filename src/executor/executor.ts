/**
 * One interface to run commands on this machine or over SSH; the other side needs only a POSIX `sh`.
 *
 * @module
 */

/** What to run: an argv, passed byte for byte, or a script for `sh` that is sent as `sh -c`. */
export type Command =
  | { /** Program and arguments. */ argv: readonly [string, ...string[]] }
  | {
    /** POSIX sh text. Build it from constants and quoted words only: see quote.ts. */
    script: string;
    /** Positional parameters `$1…` of the script, passed byte for byte. */
    args?: readonly string[];
    /** Name for messages, such as `deploy/upload`. */
    name?: string;
  };

/** Bytes for a command's standard input. */
export type Stdin = ReadableStream<Uint8Array> | Uint8Array | string;

/** Options for {@linkcode Executor.run}. */
export interface RunOptions {
  /** Standard input; closed at once when left out. Secrets travel here and nowhere else. */
  stdin?: Stdin;
  /** Environment added to the login environment. Visible in the process list: never a secret. */
  env?: Readonly<Record<string, string>>;
  /** Working directory. */
  cwd?: string;
  /** Time after which the whole process group is killed and the call rejects with `timeout`. */
  timeoutMs?: number;
  /** Kills the whole process group and rejects with `signal.reason`. */
  signal?: AbortSignal;
  /** Bytes of stdout and of stderr that are kept, the last ones. @default {MAX_COMMAND_OUTPUT_BYTES} */
  maxOutputBytes?: number;
  /** Called with stdout as it arrives; the result then has none. */
  onStdout?: (chunk: Uint8Array) => void;
  /** Called with stderr as it arrives; the result then has none. */
  onStderr?: (chunk: Uint8Array) => void;
  /**
   * Makes it a background command: called when its connection has no room left for any other command. It has to end soon
   * then, since that one waits for it.
   */
  onCrowded?: () => void;
}

/** How a command ended. A non-zero exit is a result, not an exception. */
export interface RunResult {
  /** Exit code, or `null` when a signal ended it. */
  exitCode: number | null;
  /** Signal name such as `SIGKILL`, or `null`. */
  signal: string | null;
  /** Its stdout, decoded as UTF-8; only the end when it was long. */
  stdout: string;
  /** Its stderr, decoded as UTF-8; only the end when it was long. */
  stderr: string;
  /** Whether the beginning of stdout or stderr was dropped. */
  truncated: boolean;
  /** How long it ran, in milliseconds. */
  durationMs: number;
}

/**
 * A machine on which commands can be run.
 *
 * Errors: `unreachable` (no connection, or it broke; details `{host, step, reason}` with `reason` one of
 * `refused|timeout|dns|reset|host_key_unknown|host_key_changed|host_key_revoked|auth|closed`), `timeout`,
 * or the abort reason. Disposing closes the connection; running commands are killed.
 */
export interface Executor extends AsyncDisposable {
  /** Name for messages: `local`, or the host as given. */
  readonly host: string;
  /** Runs a command to its end. */
  run(command: Command, options?: RunOptions): Promise<RunResult>;
}
