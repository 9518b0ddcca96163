/** A network that fails: a TCP proxy that cuts or freezes connections when it is told to. */

/** The way between a client and a server. */
export class FlakyNetwork implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #target: number;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #pipes = new Set<Promise<void>>();
  readonly #accepting: Promise<void>;
  /** Bytes towards the client after which its connection is cut; asked for each connection. */
  cutAfter: () => number = () => Infinity;
  /** While true nothing is passed on, and nobody is told. */
  frozen = false;
  /** Connections that were cut so far. */
  cuts = 0;

  /** Listens for connections to the server at `url`. */
  constructor(url: string) {
    this.#target = Number(new URL(url).port);
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#accepting = this.#accept();
  }

  /** WebSocket address of the server through this network. */
  get url(): string {
    return `ws://127.0.0.1:${this.#listener.addr.port}/`;
  }

  /** Cuts all connections now. */
  cut(): void {
    for (const conn of [...this.#open]) this.#close(conn);
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) {
      try {
        const server = await Deno.connect({ hostname: "127.0.0.1", port: this.#target });
        this.#open.add(client).add(server);
        this.#start(client, server, Infinity);
        this.#start(server, client, this.cutAfter());
      } catch {
        client.close(); // the server is down
      }
    }
  }

  #start(from: Deno.TcpConn, to: Deno.TcpConn, bytes: number): void {
    const pipe: Promise<void> = this.#pipe(from, to, bytes).catch(() => {}).finally(() => {
      this.#close(from);
      this.#close(to);
      this.#pipes.delete(pipe);
    });
    this.#pipes.add(pipe);
  }

  async #pipe(from: Deno.TcpConn, to: Deno.TcpConn, bytes: number): Promise<void> {
    const buffer = new Uint8Array(16 * 1024);
    let left = bytes;
    for (;;) {
      const length = await from.read(buffer);
      if (length === null) return;
      if (this.frozen) continue; // swallowed: its sender believes that all is well
      const part = buffer.subarray(0, Math.min(length, left));
      for (let at = 0; at < part.length;) at += await to.write(part.subarray(at));
      left -= part.length;
      if (left > 0) continue;
      this.cuts++;
      return;
    }
  }

  #close(conn: Deno.TcpConn): void {
    if (this.#open.delete(conn)) conn.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.cut();
    await Promise.all([...this.#pipes, this.#accepting.catch(() => {})]);
  }
}
