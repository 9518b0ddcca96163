/** A server with files for its state, in a process that can be killed and started again. */
import { fromFileUrl } from "./paths.ts";

const CHILD = fromFileUrl("./server_child.ts");

/** The server, its port and its state directory. */
export class KillableServer implements AsyncDisposable {
  readonly #dir: string;
  #child: Deno.ChildProcess | null = null;
  #port = 0;

  private constructor(dir: string) {
    this.#dir = dir;
  }

  /** Starts one on a free port with an empty state directory. */
  static async start(): Promise<KillableServer> {
    const server = new KillableServer(await Deno.makeTempDir({ prefix: "harness-client-" }));
    await server.start();
    return server;
  }

  /** WebSocket address, the same across restarts. */
  get url(): string {
    return `ws://127.0.0.1:${this.#port}/`;
  }

  /** Starts it again, on the same port and with the same state. */
  async start(): Promise<void> {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", CHILD, String(this.#port), this.#dir],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#child = child;
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    await reader.cancel();
    this.#port = Number(new TextDecoder().decode(value));
    if (!Number.isInteger(this.#port) || this.#port === 0) throw new Error("it did not start");
  }

  /** Ends it without any warning. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    child?.kill("SIGKILL");
    await child?.status;
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
