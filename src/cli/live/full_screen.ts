/**
 * The whole terminal as a picture that is drawn again and again, and the keys pressed meanwhile.
 *
 * Whatever ends the program, the terminal is as before: its lines, its cursor, its echo.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import type { Io } from "../context.ts";
import type { TerminalSize } from "../output/screen.ts";
import { control, withoutStyles } from "../output/styles.ts";
import { textWidth } from "../output/text_layout.ts";

/** What {@linkcode FullScreen} reports. */
export interface FullScreenEvents {
  /** A key, or the escape sequence of one. */
  onKey(key: string): void;
  /** The window has another size, or shows us again: draw. */
  onResize(): void;
}

/** Keys that are signals: a terminal that passes each key on at once passes on these, too. */
const SIGNAL_KEYS: Readonly<Record<string, NodeJS.Signals>> = {
  "\x03": "SIGINT",
  "\x1a": "SIGTSTP",
  "\x1c": "SIGQUIT",
};

/** A key: a character, or the escape sequence of an arrow and the like. */
// deno-lint-ignore no-control-regex
const KEY = /\x1b[[O][\d;]*[A-Za-z~]|./gsu;

/** Signals that would end the program without a word to the terminal, and their exit codes. */
const DEADLY = [["SIGHUP", 129], ["SIGQUIT", 131]] as const;

/** The terminal behind stdout, from its making to its disposal. */
export class FullScreen implements Disposable {
  readonly #io: Io;
  readonly #events: FullScreenEvents;
  readonly #hasKeys: boolean;
  readonly #cleanups: Array<() => void> = [];
  #isShown = false;

  /** Takes the terminal. */
  constructor(io: Io, events: FullScreenEvents) {
    this.#io = io;
    this.#events = events;
    this.#hasKeys = readsKeys();
    this.#show();
    // A second signal exits at once, on Deno without telling `node:process`.
    const restore = () => this.#hide();
    process.on("exit", restore);
    globalThis.addEventListener?.("unload", restore);
    this.#cleanups.push(() => {
      process.off("exit", restore);
      globalThis.removeEventListener?.("unload", restore);
    });
    if (process.platform !== "win32") this.#listenForSignals();
    if (this.#hasKeys) this.#listenForKeys();
  }

  /** Draws `lines` from the top; there must not be more than fit. */
  draw(lines: readonly string[], { columns, rows }: TerminalSize): void {
    if (!this.#isShown) return;
    const empty = Math.max(0, rows - rowsOf(lines, columns));
    const all = [...lines, ...Array<string>(empty).fill("")];
    this.#io.out(control("begin") + all.join(control("next")) + control("end"));
  }

  /** Gives the terminal back. */
  [Symbol.dispose](): void {
    this.#hide();
    for (const cleanup of this.#cleanups) cleanup();
  }

  #listenForSignals(): void {
    this.#on("SIGWINCH", () => {
      this.#io.out(control("clear"));
      this.#events.onResize();
    });
    for (const [signal, code] of DEADLY) {
      this.#on(signal, () => {
        this.#hide();
        process.exit(code);
      });
    }
    // Ctrl-Z: the shell gets its terminal, and `fg` brings the picture back.
    this.#on("SIGTSTP", () => {
      this.#hide();
      process.kill(process.pid, "SIGSTOP");
    });
    this.#on("SIGCONT", () => {
      this.#show();
      this.#events.onResize();
    });
  }

  #on(signal: NodeJS.Signals, run: () => void): void {
    process.on(signal, run);
    this.#cleanups.push(() => process.off(signal, run));
  }

  #show(): void {
    if (this.#isShown) return;
    this.#isShown = true;
    if (this.#hasKeys) process.stdin.setRawMode(true);
    this.#io.out(control("enter"));
  }

  #hide(): void {
    if (!this.#isShown) return;
    this.#isShown = false;
    this.#io.out(control("leave"));
    if (this.#hasKeys) process.stdin.setRawMode(false);
  }

  #listenForKeys(): void {
    const { stdin } = process;
    const onData = (bytes: Uint8Array) => {
      for (const [key] of Buffer.from(bytes).toString().matchAll(KEY)) {
        const signal = Object.hasOwn(SIGNAL_KEYS, key) ? SIGNAL_KEYS[key] : undefined;
        if (signal === undefined) this.#events.onKey(key);
        else process.kill(process.pid, signal);
      }
    };
    stdin.on("data", onData);
    stdin.resume();
    this.#cleanups.push(() => {
      stdin.off("data", onData);
      stdin.pause();
    });
  }
}

/** Whether keys can be read: not where stdin is something else. */
export function readsKeys(): boolean {
  return process.stdin.isTTY === true;
}

/** Rows of the terminal that lines take: a word that is wider than the terminal runs over. */
export function rowsOf(lines: readonly string[], columns: number): number {
  return lines.reduce((sum, line) => {
    return sum + Math.max(1, Math.ceil(textWidth(withoutStyles(line)) / columns));
  }, 0);
}

/** The size to draw for. */
export function screenSize(io: Io): TerminalSize {
  return io.size() ?? { columns: io.columns, rows: 24 };
}
