/**
 * The last lines of a terminal, redrawn in place while a command runs.
 *
 * Nothing has to be restored at the end: the cursor stays visible on the line below, and no mode of the terminal is
 * changed. A program that is killed in the middle leaves its last lines and a working terminal.
 *
 * @module
 */
import { cursorUp, ERASE_BELOW, ERASE_REST, withoutStyles } from "./styles.ts";
import { textWidth } from "./text_layout.ts";

/** The size of a terminal. */
export interface TerminalSize {
  /** Its width in characters. */
  readonly columns: number;
  /** Its height in lines. */
  readonly rows: number;
}

/** Lines that are redrawn in place on the terminal of stderr. */
export class Screen {
  readonly #write: (text: string) => void;
  readonly #size: () => TerminalSize;
  #lines: readonly string[] = [];

  /** Draws with `write`, which turns styles into control sequences. */
  constructor(write: (text: string) => void, size: () => TerminalSize) {
    this.#write = write;
    this.#size = size;
  }

  /** The size now; it changes with the window. */
  get size(): TerminalSize {
    return this.#size();
  }

  /** Replaces what was drawn before. Each line must be narrower than the terminal, and all together lower. */
  draw(lines: readonly string[]): void {
    const drawn = lines.map((line) => `${line}${ERASE_REST}\n`).join("");
    this.#write(`${this.#back()}${drawn}${ERASE_BELOW}`);
    this.#lines = [...lines];
  }

  /** Writes something else: above the lines, which move down. */
  above(write: () => void): void {
    const lines = this.#lines;
    if (lines.length === 0) return write();
    this.draw([]);
    write();
    this.draw(lines);
  }

  /** Leaves the lines where they are; what comes next is written below. */
  release(): void {
    this.#lines = [];
  }

  /** Moves to the first line. A window that became narrower has wrapped the lines that no longer fit. */
  #back(): string {
    const { columns } = this.#size();
    const height = this.#lines.reduce((rows, line) => {
      return rows + Math.max(1, Math.ceil(textWidth(withoutStyles(line)) / columns));
    }, 0);
    return cursorUp(height);
  }
}
