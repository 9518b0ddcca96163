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

  private constructor(conn: Deno.TcpConn, answer: string) {
    this.conn = conn;
    this.answer = answer;
    this.status = Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);
  }

  /** Connects, sends the handshake and reads the head of the answer. */
  static async open(options: RawSocketOptions): Promise<RawSocket> {
    const { port, path = "/" } = options;
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
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
    let answer = "";
    const buffer = new Uint8Array(4096);
    while (!answer.includes("\r\n\r\n")) {
      const count = await conn.read(buffer);
      if (count === null) break;
      answer += new TextDecoder().decode(buffer.subarray(0, count));
    }
    return new RawSocket(conn, answer);
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
    return await this.write(head) && await this.write(payload);
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

  /** Reads until a close frame or the end, and returns the close code, or `null` without one. */
  async readCloseCode(): Promise<number | null> {
    let seen = new Uint8Array();
    const buffer = new Uint8Array(65536);
    try {
      for (;;) {
        const code = closeCodeOf(seen);
        if (code !== null) return code;
        const count = await this.conn.read(buffer);
        if (count === null) return null;
        const more = new Uint8Array(seen.length + count);
        more.set(seen);
        more.set(buffer.subarray(0, count), seen.length);
        seen = more;
      }
    } catch {
      return null; // a reset
    }
  }

  /** Closes the TCP connection without a word. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.conn.close();
  }
}

/** The close code in what a server sent last, or `null`. */
export function closeCodeOf(bytes: Uint8Array): number | null {
  for (let at = 0; at + 1 < bytes.length;) {
    const opcode = (bytes[at] ?? 0) & 0x0f;
    let length = (bytes[at + 1] ?? 0) & 0x7f;
    let head = 2;
    if (length === 126) {
      length = ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
      head = 4;
    } else if (length === 127) {
      length = Number(new DataView(bytes.buffer).getBigUint64(at + 2));
      head = 10;
    }
    if (opcode === 8) return ((bytes[at + head] ?? 0) << 8) | (bytes[at + head + 1] ?? 0);
    at += head + length;
  }
  return null;
}
