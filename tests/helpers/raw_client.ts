/** A raw WebSocket client with a queue: tests of the protocol use no code of the client library. */
import assert from "node:assert/strict";

/** Any frame, parsed. */
// deno-lint-ignore no-explicit-any
export type Frame = Record<string, any>;

/** Options for {@linkcode RawClient.connect}. */
export interface RawClientOptions {
  /** Subprotocols to offer. */
  protocols?: string[];
  /** Request headers. */
  headers?: Record<string, string>;
  /** How long a wait may take before the test fails. */
  deadlineMs?: number;
}

/** A connection whose frames are queued until a test asks for them. */
export class RawClient implements AsyncDisposable {
  readonly socket: WebSocket;
  /** How the connection ended. */
  readonly closed: Promise<{ code: number; reason: string }>;
  /** Every frame so far, in order of arrival. */
  readonly log: Frame[] = [];
  #queue: Frame[] = [];
  readonly #waiting = new Set<() => void>();
  #isClosed = false;
  #counter = 0;
  readonly #deadlineMs: number;

  private constructor(url: string, options: RawClientOptions) {
    const { protocols = ["harness.v1"], headers } = options;
    this.#deadlineMs = options.deadlineMs ?? 60_000;
    this.socket = headers === undefined
      ? new WebSocket(url, protocols)
      : new WebSocket(url, { protocols, headers });
    this.socket.onmessage = (event) => {
      const frame: Frame = JSON.parse(event.data);
      this.log.push(frame);
      this.#queue.push(frame);
      this.#wake();
    };
    this.closed = new Promise((resolve) => {
      this.socket.onclose = ({ code, reason }) => {
        this.#isClosed = true;
        this.#wake();
        resolve({ code, reason });
      };
    });
  }

  /** Connects and waits until the socket is open. */
  static async connect(url: string, options: RawClientOptions = {}): Promise<RawClient> {
    const client = new RawClient(url, options);
    const opened = new Promise<void>((resolve, reject) => {
      client.socket.onopen = () => resolve();
      client.socket.onerror = (event) => reject(new Error((event as ErrorEvent).message));
    });
    try {
      await within(client.#deadlineMs, opened, `the connection to ${url}`);
    } catch (error) {
      // Without this, a handshake that is not answered would stay open behind the failed test.
      client.socket.close();
      throw error;
    }
    client.socket.onerror = null;
    return client;
  }

  /** Connects and takes the hello off the queue. */
  static async ready(url: string, options: RawClientOptions = {}): Promise<RawClient> {
    const client = await RawClient.connect(url, options);
    const hello = await client.next();
    assert.equal(hello["event"], "hello");
    return client;
  }

  /** Sends a text frame as it is. */
  send(text: string | Uint8Array<ArrayBuffer>): void {
    this.socket.send(text);
  }

  /** Sends a request and returns its id. */
  ask(action: string, params?: unknown): string {
    const id = `r-${++this.#counter}`;
    this.send(
      JSON.stringify({ id, type: "request", action, ...(params === undefined ? {} : { params }) }),
    );
    return id;
  }

  /** Sends a request and takes its response off the queue, leaving all else there. */
  async request(action: string, params?: unknown): Promise<Frame> {
    const id = this.ask(action, params);
    return await this.take((frame) => frame["type"] === "response" && frame["id"] === id, action);
  }

  /** Like {@linkcode request}, and returns the data; an error fails the test. */
  async call(action: string, params?: unknown): Promise<Frame> {
    const response = await this.request(action, params);
    assert.ok("data" in response, `${action}: ${JSON.stringify(response)}`);
    return response["data"];
  }

  /** Like {@linkcode request}, and returns the error; data fails the test. */
  async fail(action: string, params?: unknown): Promise<Frame> {
    const response = await this.request(action, params);
    assert.ok("error" in response, `${action} succeeded: ${JSON.stringify(response)}`);
    return response["error"];
  }

  /** The next frame, whatever it is. */
  next(): Promise<Frame> {
    return this.take(() => true, "any frame");
  }

  /** The next event, or the next of one type; responses stay in the queue. */
  event(type?: string): Promise<Frame> {
    return this.take(
      (frame) => frame["type"] === "event" && (type === undefined || frame["event"] === type),
      `event ${type ?? ""}`,
    );
  }

  /** What is queued now, without waiting. */
  drain(): Frame[] {
    return this.#queue.splice(0);
  }

  /** Takes the first frame that fits off the queue, waiting for it where needed. */
  async take(fits: (frame: Frame) => boolean, what: string): Promise<Frame> {
    const end = performance.now() + this.#deadlineMs;
    for (;;) {
      const at = this.#queue.findIndex(fits);
      if (at >= 0) return this.#queue.splice(at, 1)[0] ?? {};
      if (this.#isClosed) throw new Error(`closed while waiting for ${what}`);
      const left = end - performance.now();
      if (left <= 0) {
        throw new Error(
          `no ${what} within ${this.#deadlineMs} ms; queued: ${
            JSON.stringify(this.#queue).slice(0, 2000)
          }`,
        );
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting.add(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** Lets every wait look at the queue again. */
  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const look of waiting) look();
  }

  /** Closes and waits for the end. */
  async close(): Promise<void> {
    this.socket.close();
    await within(this.#deadlineMs, this.closed, "the end of the connection");
  }

  /** Closes. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Waits for `work`, and fails with a message when it takes longer than `ms`. */
export async function within<T>(ms: number, work: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  try {
    return await Promise.race([work, expired]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until `work` succeeds, and returns its result; after the deadline its last error is the test's. */
export async function untilPasses<T>(
  work: () => T | Promise<T>,
  deadlineMs = 60_000,
): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() > end) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Waits for a condition, with a generous deadline. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what: string,
  deadlineMs = 60_000,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  for (let pauseMs = 5; !await condition(); pauseMs = Math.min(25, 1.5 * pauseMs)) {
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
