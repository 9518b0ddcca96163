/** A WebSocket client made by hand over TCP, for what no proper client would send. */

/** Options for {@linkcode RawSocket.open}. */
export interface RawSocketOptions {
  /** Port on the loopback interface. */
  port: number;
  /** Request line and headers besides those of the handshake; a header given here replaces it. */
  headers?: Record<string, string>;
  /** Path. */
  path?: string;
}

/** A TCP connection on which a WebSocket handshake was made. */
export class RawSocket implements Disposable {
  readonly conn: Deno.TcpConn;
  /** Status of the handshake's answer. */
  readonly status: number;
  /** Head and, where it came along, body of the answer. */
  readonly answer: string;
  #closed = false;
  /** Bytes read that are not yet a whole frame. */
  #rest: Uint8Array<ArrayBuffer>;

  private constructor(conn: Deno.TcpConn, bytes: Uint8Array<ArrayBuffer>, headEnd: number) {
    this.conn = conn;
    this.answer = new TextDecoder().decode(bytes);
    this.status = Number(/^HTTP\/1\.1 (\d+)/.exec(this.answer)?.[1] ?? 0);
    this.#rest = bytes.slice(headEnd);
  }

  /** Connects, sends the handshake and reads the head of the answer. */
  static async open(options: RawSocketOptions): Promise<RawSocket> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: options.port });
    try {
      return await RawSocket.#shakeHands(conn, options);
    } catch (error) {
      conn.close();
      throw error;
    }
  }

  static async #shakeHands(conn: Deno.TcpConn, options: RawSocketOptions): Promise<RawSocket> {
    const { port, path = "/" } = options;
    const headers: Record<string, string> = {
      host: `127.0.0.1:${port}`,
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      ...options.headers,
    };
    const lines = Object.entries(headers).filter(([, value]) => value !== "");
    const head = [`GET ${path} HTTP/1.1`, ...lines.map(([k, v]) => `${k}: ${v}`), "", ""];
    await conn.write(new TextEncoder().encode(head.join("\r\n")));
    let bytes = new Uint8Array();
    const buffer = new Uint8Array(4096);
    let end = -1;
    while (end === -1) {
      const count = await conn.read(buffer);
      if (count === null) break;
      bytes = join(bytes, buffer.subarray(0, count));
      end = new TextDecoder("latin1").decode(bytes).indexOf("\r\n\r\n");
    }
    // What follows the head of a 101 is the first frames already.
    return new RawSocket(conn, bytes, end === -1 ? bytes.length : end + 4);
  }

  /** Sends one masked frame; false when the peer is gone. */
  async frame(opcode: number, payload: Uint8Array, fin = true): Promise<boolean> {
    const long = payload.length > 65535;
    const head = new Uint8Array(long ? 14 : payload.length > 125 ? 8 : 6);
    const view = new DataView(head.buffer);
    head[0] = (fin ? 0x80 : 0) | opcode;
    if (long) {
      head[1] = 0x80 | 127;
      view.setBigUint64(2, BigInt(payload.length));
    } else if (payload.length > 125) {
      head[1] = 0x80 | 126;
      view.setUint16(2, payload.length);
    } else head[1] = 0x80 | payload.length;
    // The mask is four zero bytes: allowed, and the payload stays as it is.
    return await this.write(join(head, payload)); // in one piece: two would wait for each other's ACK
  }

  /** Sends a text message. */
  text(text: string): Promise<boolean> {
    return this.frame(1, new TextEncoder().encode(text));
  }

  /** Sends bytes as they are; false when the peer is gone. */
  async write(bytes: Uint8Array): Promise<boolean> {
    try {
      for (let at = 0; at < bytes.length;) at += await this.conn.write(bytes.subarray(at));
      return true;
    } catch {
      return false;
    }
  }

  /** Reads until the peer closes, and returns what came. */
  async readToEnd(): Promise<Uint8Array> {
    const chunks: number[] = [];
    const buffer = new Uint8Array(65536);
    try {
      for (;;) {
        const count = await this.conn.read(buffer);
        if (count === null) break;
        for (const byte of buffer.subarray(0, count)) chunks.push(byte);
      }
    } catch {
      // A reset is an end too.
    }
    return new Uint8Array(chunks);
  }

  /** The frames from here on, until the end or a reset. */
  async *frames(): AsyncGenerator<{ opcode: number; payload: Uint8Array }> {
    const buffer = new Uint8Array(65536);
    for (;;) {
      for (let frame = frameOf(this.#rest); frame !== null; frame = frameOf(this.#rest)) {
        this.#rest = this.#rest.slice(frame.size);
        yield frame;
      }
      const count = await this.conn.read(buffer).catch(() => null);
      if (count === null) return;
      this.#rest = join(this.#rest, buffer.subarray(0, count));
    }
  }

  /** Reads until a close frame or the end, and returns the close code, or `null` without one. */
  async readCloseCode(): Promise<number | null> {
    for await (const { opcode, payload } of this.frames()) {
      const [first = 0, second = 0] = payload;
      if (opcode === 8) return (first << 8) | second;
    }
    return null;
  }

  /** Closes the TCP connection without a word. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.conn.close();
  }
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** The first frame of some bytes from a server, or `null` while it is not whole. */
function frameOf(bytes: Uint8Array): { opcode: number; payload: Uint8Array; size: number } | null {
  if (bytes.length < 2) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let length = view.getUint8(1) & 0x7f;
  let head = 2;
  if (length === 126) {
    if (bytes.length < 4) return null;
    length = view.getUint16(2);
    head = 4;
  } else if (length === 127) {
    if (bytes.length < 10) return null;
    length = Number(view.getBigUint64(2));
    head = 10;
  }
  const size = head + length;
  if (bytes.length < size) return null;
  return { opcode: view.getUint8(0) & 0x0f, payload: bytes.subarray(head, size), size };
}
