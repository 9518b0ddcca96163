/**
 * Reloads the token files and the certificate on SIGHUP.
 *
 * @module
 */
import { getLogger } from "../../util/log.ts";
import process from "node:process";
import { messageOf } from "../../errors.ts";

const log = getLogger(["harness", "cli"]);

/** Runs the reload once per SIGHUP, one at a time; a signal before it is set is kept. */
export class Hangups implements Disposable {
  readonly #listener = () => this.#hear();
  #reload: (() => Promise<void>) | null = null;
  #isDue = false;
  #running = false;

  /** Starts listening: SIGHUP no longer ends the process. */
  constructor() {
    if (process.platform !== "win32") process.on("SIGHUP", this.#listener);
  }

  /** Sets the reload. */
  set onReload(reload: () => Promise<void>) {
    this.#reload = reload;
    void this.#run();
  }

  /** Stops listening. */
  [Symbol.dispose](): void {
    if (process.platform !== "win32") process.off("SIGHUP", this.#listener);
  }

  #hear(): void {
    this.#isDue = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    if (this.#running || this.#reload === null) return;
    this.#running = true;
    try {
      while (this.#isDue) {
        this.#isDue = false;
        await this.#reload();
      }
    } catch (error) {
      log.error("Cannot read the tokens again, those from before stay: {why}", {
        why: messageOf(error),
      });
    } finally {
      this.#running = false;
    }
    if (this.#isDue) void this.#run();
  }
}
