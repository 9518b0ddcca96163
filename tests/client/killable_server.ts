/** A server with files for its state, in a process that can be killed and started again. */
import { freePort } from "../helpers/free_port.ts";
import { LineProcess } from "../helpers/lines.ts";
import { fromFileUrl } from "./paths.ts";

const CHILD = fromFileUrl("./server_child.ts");

/** The server, its port and its state directory. */
export class KillableServer implements AsyncDisposable {
  readonly #dir: string;
  readonly #env: Record<string, string>;
  #child: LineProcess | null = null;
  /** It comes back at the same port, which must be nobody else's meanwhile. */
  readonly #port = freePort();

  private constructor(dir: string, token: string | undefined) {
    this.#dir = dir;
    this.#env = token === undefined ? {} : { TEST_TOKEN: token };
  }

  /** Starts one on a free port with an empty state directory; with a token also for any Origin. */
  static async start(token?: string): Promise<KillableServer> {
    const dir = await Deno.makeTempDir({ prefix: "harness-client-" });
    const server = new KillableServer(dir, token);
    await server.start();
    return server;
  }

  /** WebSocket address, the same across restarts. */
  get url(): string {
    return `ws://127.0.0.1:${this.#port}/`;
  }

  /** Starts it again, on the same port and with the same state. */
  async start(): Promise<void> {
    const args = ["run", "-A", "--no-check", CHILD, String(this.#port), this.#dir];
    this.#child = new LineProcess(Deno.execPath(), args, { env: this.#env });
    if (Number(await this.#child.line()) !== this.#port) throw new Error("it did not start");
  }

  /** Ends it without any warning. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    await child?.[Symbol.asyncDispose]();
  }

  /** Forgets all state; only while it does not run. */
  async wipe(): Promise<void> {
    await Deno.remove(this.#dir, { recursive: true });
    await Deno.mkdir(this.#dir);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#dir, { recursive: true });
  }
}
