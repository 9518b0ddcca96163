/** Hostile peers over TCP: many connections at once, and what became of them. */
import { untilPasses } from "../helpers/raw_client.ts";

/** Far beyond what opening takes where the server accepts. */
const OPEN_TIMEOUT_MS = 60_000;

/** TCP connections of which nobody wants an answer. */
export class Peers implements Disposable {
  readonly #conns: Deno.Conn[] = [];
  /** Those that the server has ended. */
  dropped = 0;

  /** Those that could be opened. */
  get opened(): number {
    return this.#conns.length;
  }

  /**
   * Opens so many, one after the other, with pauses; some may be refused. Each sends `bytes`.
   *
   * A server that accepts nothing for long lets connections wait for minutes each: that is an error.
   */
  async open(count: number, port: number, bytes = "", pauseMs = 0): Promise<void> {
    const signal = AbortSignal.timeout(OPEN_TIMEOUT_MS);
    for (let i = 0; i < count; i++) {
      if (signal.aborted) {
        throw new Error(`only ${i} of ${count} peers were opened within ${OPEN_TIMEOUT_MS} ms`);
      }
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      try {
        const conn = await Deno.connect({ hostname: "127.0.0.1", port, signal });
        this.#conns.push(conn);
        if (bytes !== "") await conn.write(new TextEncoder().encode(bytes));
        void this.#watch(conn);
      } catch {
        // Refused: that is one of the answers a server may give.
      }
    }
  }

  async #watch(conn: Deno.Conn): Promise<void> {
    try {
      while (await conn.read(new Uint8Array(4096)) !== null);
    } catch {
      // Reset, or closed by us.
    }
    this.dropped++;
  }

  /** Leaves. */
  [Symbol.dispose](): void {
    for (const conn of this.#conns.splice(0)) {
      try {
        conn.close();
      } catch {
        // The server was first.
      }
    }
  }
}

/** Waits until `work` succeeds, for as long as a slow machine may need. */
export async function untilServed<T>(work: () => Promise<T>, what: string): Promise<T> {
  try {
    return await untilPasses(work);
  } catch (error) {
    throw new Error(`not served: ${what}`, { cause: error });
  }
}
