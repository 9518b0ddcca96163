/**
 * Clients of load.ts: those that ask for too much and leave (as a program,
 * `peers.ts flood <port> <epoch>`), and the one whose waits are measured
 * (`peers.ts <port> <seconds>`).
 */

/** Clients that flood. */
const FLOODERS = 20;
/** Requests of each at once: what a connection may have under way. */
const REQUESTS = 64;
/** After which it hangs up and comes again. */
const HANG_UP_MS = 1500;

/** Resolves after a while. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The value that a share of all is not above. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}

/** Hostile clients of one server. */
export class Peers {
  readonly #port: number;
  readonly #epoch: string;
  #stopped = false;

  constructor(port: number, epoch: string) {
    this.#port = port;
    this.#epoch = epoch;
  }

  /** Runs a scenario until {@linkcode stop}. */
  async run(scenario: string): Promise<void> {
    const asks: Record<string, (k: number) => string[]> = {
      quiet: () => [],
      small: () => this.#repeat("get_service", { name: "service-1" }, 2500),
      flood: () => this.#repeat("list_services", {}),
      filters: (k) => this.#repeat("list_services", { name: `*${"?*".repeat(k)}*`, label: "team" }),
      replay: () => this.#repeat("subscribe", { since: { epoch: this.#epoch, seq: 1 } }, 1),
      stall: () => this.#repeat("list_services", {}),
    };
    if (scenario === "quiet") return;
    const kinds = scenario === "all" ? ["flood", "filters", "replay", "stall"] : [scenario];
    await Promise.all(Array.from({ length: FLOODERS }, async (_, k) => {
      const kind = kinds[k % kinds.length] ?? "flood";
      while (!this.#stopped) {
        await (kind === "stall" ? this.#stall() : this.#visit(asks[kind]?.(k) ?? []));
      }
    }));
  }

  /** Ends what runs. */
  stop(): void {
    this.#stopped = true;
  }

  #repeat(action: string, params: unknown, times = REQUESTS): string[] {
    return Array.from(
      { length: times },
      (_, i) => JSON.stringify({ id: `${i}`, type: "request", action, params }),
    );
  }

  /** Connects, asks, throws away what comes, and hangs up. */
  async #visit(requests: readonly string[]): Promise<void> {
    const socket = new WebSocket(`ws://127.0.0.1:${this.#port}`);
    const gone = new Promise<void>((resolve) => {
      socket.onclose = () => resolve();
      socket.onerror = () => resolve();
    });
    socket.onopen = () => requests.forEach((text) => socket.send(text));
    await Promise.race([gone, delay(HANG_UP_MS)]);
    socket.close();
    await Promise.race([gone, delay(100)]);
  }

  /** Asks and reads nothing. */
  async #stall(): Promise<void> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: this.#port });
    const key = btoa("0123456789abcdef");
    const head = `GET / HTTP/1.1\r\nHost: 127.0.0.1:${this.#port}\r\nUpgrade: websocket\r\n` +
      `Connection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`;
    try {
      await conn.write(new TextEncoder().encode(head));
      await conn.read(new Uint8Array(1024));
      for (const text of this.#repeat("list_services", {})) await conn.write(frameOf(text));
      await delay(2 * HANG_UP_MS);
    } catch {
      // Closed by the server: that is what it should do with us.
    } finally {
      conn.close();
    }
  }
}

/** A masked text frame of up to 125 bytes. */
function frameOf(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(text);
  return new Uint8Array([0x81, 0x80 | bytes.length, 0, 0, 0, 0, ...bytes]);
}

/** Asks for one service after the other and notes how long each answer took. */
async function measure(port: number, seconds: number): Promise<{ waits: number[]; rate: number }> {
  const waits: number[] = [];
  const begun = performance.now();
  const end = begun + seconds * 1000;
  for (let visit = 0; performance.now() < end; visit++) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`);
    let answered: () => void = () => {};
    const next = () => new Promise<void>((resolve) => answered = resolve);
    const hello = next();
    socket.onmessage = () => answered();
    await Promise.race([hello, delay(end - performance.now() + 1)]);
    // A client may ask 1,000 times a second, twice as often at first.
    for (let i = 0; i < 1900 && performance.now() < end; i++) {
      const name = `service-${(visit * 1900 + i) % 5000}`;
      const sent = performance.now();
      const answer = next();
      socket.send(
        JSON.stringify({ id: "1", type: "request", action: "get_service", params: { name } }),
      );
      await Promise.race([answer, delay(10_000)]);
      waits.push(performance.now() - sent);
    }
    socket.close();
  }
  return { waits, rate: waits.length / ((performance.now() - begun) / 1000) };
}

if (import.meta.main && Deno.args[0] === "flood") {
  const [, port, epoch = ""] = Deno.args;
  await new Peers(Number(port), epoch).run("all");
} else if (import.meta.main) {
  const [port, seconds] = Deno.args.map(Number);
  const result = await measure(port ?? 0, seconds ?? 1);
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(result)));
  Deno.exit();
}
