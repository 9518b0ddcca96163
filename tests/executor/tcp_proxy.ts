/** A TCP proxy on loopback that counts, records, stalls and cuts. */

/** A running proxy. */
export class TcpProxy implements AsyncDisposable {
  /** Where it listens. */
  readonly port: number;
  /** Connections accepted so far. */
  accepted = 0;
  /** All bytes that went from the client to the server. */
  readonly sent: Uint8Array[] = [];
  readonly #listener: Deno.TcpListener;
  readonly #target: number | null;
  readonly #held: Uint8Array[] = [];
  readonly #conns = new Set<Deno.Conn>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #drop: boolean;
  /** How long bytes from the server are gathered before they are passed on in one piece. */
  gatherMs = 0;
  #gate: PromiseWithResolvers<void> | null = null;

  /** Forwards to `target`; `null` accepts and never answers; `drop` closes at once. */
  constructor(target: number | null, options: { drop?: boolean } = {}) {
    this.#target = target;
    this.#drop = options.drop ?? false;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    this.#track(this.#accept());
  }

  /** From now on nothing passes any more, in neither direction, and nothing is closed. */
  stall(): void {
    this.#gate ??= Promise.withResolvers<void>();
  }

  #track(task: Promise<void>): void {
    this.#tasks.add(task);
    task.catch(() => {}).finally(() => this.#tasks.delete(task));
  }

  async #accept(): Promise<void> {
    for await (const conn of this.#listener) {
      this.accepted += 1;
      this.#conns.add(conn);
      if (this.#drop) this.#close(conn);
      else this.#track(this.#serve(conn));
    }
  }

  #close(conn: Deno.Conn): void {
    this.#conns.delete(conn);
    try {
      conn.close();
    } catch {
      // Closed already.
    }
  }

  async #serve(client: Deno.Conn): Promise<void> {
    if (this.#target === null) return;
    const server = await Deno.connect({ hostname: "127.0.0.1", port: this.#target });
    this.#conns.add(server);
    const up = this.#pipe(client, server, (bytes) => this.sent.push(bytes));
    await Promise.all([up, this.#pipeDown(server, client)]);
  }

  async #pipeDown(server: Deno.Conn, client: Deno.Conn): Promise<void> {
    const late: Deno.Conn = Object.assign(Object.create(client), {
      close: () => client.close(),
      write: async (bytes: Uint8Array): Promise<number> => {
        if (this.gatherMs === 0) return await client.write(bytes);
        this.#held.push(bytes.slice());
        if (this.#held.length > 1) return bytes.length;
        setTimeout(() => this.#track(this.#passOn(client)), this.gatherMs);
        return bytes.length;
      },
    });
    await this.#pipe(server, late, () => {});
  }

  async #passOn(client: Deno.Conn): Promise<void> {
    const bytes = new Uint8Array(await new Blob(this.#held.splice(0) as BlobPart[]).arrayBuffer());
    for (let at = 0; at < bytes.length;) at += await client.write(bytes.subarray(at));
  }

  async #pipe(from: Deno.Conn, to: Deno.Conn, seen: (bytes: Uint8Array) => void): Promise<void> {
    const buffer = new Uint8Array(65_536);
    try {
      while (true) {
        const count = await from.read(buffer);
        await this.#gate?.promise;
        if (count === null) break;
        const bytes = buffer.slice(0, count);
        seen(bytes);
        for (let at = 0; at < count;) at += await to.write(bytes.subarray(at));
      }
    } catch {
      // One side is gone: so is the other.
    }
    this.#close(from);
    this.#close(to);
  }

  /** Closes everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const conn of this.#conns) this.#close(conn);
    this.#gate?.resolve();
    await Promise.allSettled(this.#tasks);
  }
}
