/**
 * A program in a real pseudo-terminal, and the screen that its user sees.
 *
 * @module
 */
import { constants } from "node:os";
import xterm from "@xterm/headless";
import { type CliOptions, programCommand } from "./cli.ts";
import { within } from "./raw_client.ts";

const CHILD = new URL("pty_child.py", import.meta.url).pathname;

/** Options for {@linkcode Terminal}. */
export interface TerminalOptions {
  /** Width, 100 by default. */
  columns?: number;
  /** Height, 30 by default. */
  rows?: number;
  /** The whole environment; TERM is xterm-256color where it is not given. */
  env?: Record<string, string>;
  /** Working directory. */
  cwd?: string;
}

/** How a program in a terminal ended. */
export interface TerminalEnd {
  /** Its exit code, `null` when a signal ended it. */
  code: number | null;
  /** Number of the signal that ended it. */
  signal: number | null;
  /** The terminal's modes after its end; a program that leaves `echo` off has broken its user's shell. */
  modes: { echo: boolean; canonical: boolean };
}

/** A running program and its terminal. */
export class Terminal implements AsyncDisposable {
  /** All that it wrote, with escape sequences. */
  output = "";
  /** How it ended. */
  readonly ended: Promise<TerminalEnd>;
  /** The terminal's buffer, for tests that need more than text, such as colours. */
  readonly emulator: xterm.Terminal;
  readonly #child: Deno.ChildProcess;
  readonly #orders: WritableStreamDefaultWriter<Uint8Array>;
  readonly #waiters = new Set<() => void>();
  #isOver = false;
  #isCursorVisible = true;

  /** Starts `command` in a new terminal. */
  constructor(command: readonly string[], options: TerminalOptions = {}) {
    const { columns = 100, rows = 30, env = {}, cwd } = options;
    this.emulator = new xterm.Terminal({
      cols: columns,
      rows,
      scrollback: 10_000,
      allowProposedApi: true,
    });
    for (const [final, isVisible] of [["h", true], ["l", false]] as const) {
      this.emulator.parser.registerCsiHandler({ prefix: "?", final }, (params) => {
        if (params.includes(25)) this.#isCursorVisible = isVisible;
        return false;
      });
    }
    // What a program asks its terminal (where is the cursor?) is answered.
    this.emulator.onData((answer) => void this.#order({ input: answer }).catch(() => {}));
    this.#child = new Deno.Command("python3", {
      args: [CHILD, `${columns}`, `${rows}`, ...command],
      clearEnv: true,
      env: { PATH: Deno.env.get("PATH") ?? "", TERM: "xterm-256color", ...env },
      ...(cwd === undefined ? {} : { cwd }),
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#orders = this.#child.stdin.getWriter();
    this.ended = this.#run();
    this.ended.catch(() => {});
  }

  /** Our program in a terminal, with the environment of `runCli`. */
  static program(
    args: readonly string[],
    options: Omit<TerminalOptions, "env"> & CliOptions = {},
  ): Terminal {
    const { program, args: rest, env } = programCommand(args, options);
    return new Terminal([program, ...rest], { ...options, env });
  }

  async #run(): Promise<TerminalEnd> {
    const stderr = new Response(this.#child.stderr).text();
    const decoder = new TextDecoder();
    for await (const bytes of this.#child.stdout) {
      this.output += decoder.decode(bytes, { stream: true });
      await new Promise<void>((resolve) => this.emulator.write(bytes, resolve));
      this.#wake();
    }
    await this.#child.status;
    this.#isOver = true;
    this.#wake();
    const last = (await stderr).trim().split("\n").at(-1) ?? "";
    await this.#orders.abort().catch(() => {});
    return JSON.parse(last);
  }

  #wake(): void {
    for (const wake of this.#waiters) wake();
  }

  #order(order: { input: string } | { resize: number[] } | { signal: number }): Promise<void> {
    return this.#orders.write(new TextEncoder().encode(`${JSON.stringify(order)}\n`));
  }

  /** Whether the cursor is shown. */
  get isCursorVisible(): boolean {
    return this.#isCursorVisible;
  }

  /** Types text; `"\x03"` is Ctrl-C, `"\t"` Tab, `"\r"` Return. */
  type(keys: string): Promise<void> {
    return this.#order({ input: keys });
  }

  /** Sends the program, not its terminal, a signal. */
  kill(signal: NodeJS.Signals): Promise<void> {
    return this.#order({ signal: constants.signals[signal] });
  }

  /** Changes the size of the window. */
  async resize(columns: number, rows: number): Promise<void> {
    this.emulator.resize(columns, rows);
    await this.#order({ resize: [columns, rows] });
  }

  /** The rows that are on the screen now, without the empty ones below. */
  get screen(): string {
    return this.#text(this.emulator.buffer.active.baseY);
  }

  /** The rows that have scrolled away, and those on the screen: what a user can scroll back to. */
  get scrollback(): string {
    return this.#text(0);
  }

  #text(from: number): string {
    const buffer = this.emulator.buffer.active;
    const rows = Array.from(
      { length: buffer.length - from },
      (_, row) => buffer.getLine(from + row)?.translateToString(true) ?? "",
    );
    return rows.join("\n").trimEnd();
  }

  /** Waits until `test` is true of the terminal; fails when the program ends or the time is up. */
  async until(test: (terminal: this) => boolean, timeoutMs = 120_000): Promise<void> {
    const shown = async () => {
      while (!test(this)) {
        if (this.#isOver) throw new Error("the program ended before that was on the screen");
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#waiters.add(resolve);
        await promise;
        this.#waiters.delete(resolve);
      }
    };
    try {
      await within(timeoutMs, shown(), "that is on the screen");
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}:\n${this.scrollback}`);
    }
  }

  /** Ends the program and its terminal. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#orders.close().catch(() => {});
    await this.ended.catch(() => {});
    this.emulator.dispose();
  }
}
