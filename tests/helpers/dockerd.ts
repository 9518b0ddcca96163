/** A docker daemon of a test's own, which it may stop, hold and start again. Needs root and dockerd. */
import assert from "node:assert/strict";
import type { Executor } from "../../src/executor/executor.ts";
import { localExecutor } from "../../src/executor/local.ts";
import { makeImage } from "./containers.ts";
import { run } from "../hosts/docker.ts";

/**
 * Holds the daemon's socket open as systemd's docker.socket does ($1), with the daemon behind it; restarts that at USR1.
 * A child of the daemon's number tells it that the socket is its own.
 */
const SOCKET_UNIT = `
import os, signal, socket, sys
held = socket.socket(socket.AF_UNIX)
held.bind(sys.argv[1])
held.listen(64)
daemon = 0
def up():
    global daemon
    daemon = os.fork()
    if daemon == 0:
        os.dup2(held.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
        os.execvp(sys.argv[2], sys.argv[2:])
def down(*_):
    os.kill(daemon, signal.SIGTERM)
    os.waitpid(daemon, 0)
def end(*_):
    down()
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGUSR1, lambda *_: (down(), up()))
up()
while True:
    signal.pause()
`;
import { untilPasses } from "./raw_client.ts";

/** A daemon with its own containers and images. Disposing of it ends it and all of its containers. */
export class Dockerd implements AsyncDisposable {
  readonly #dir = Deno.makeTempDirSync({ prefix: "harness-dockerd-" });
  readonly #behindSocket: boolean;
  #child: Deno.ChildProcess | null = null;

  private constructor(behindSocket: boolean) {
    this.#behindSocket = behindSocket;
  }

  /** Starts a daemon; one behind a socket that stays when it is restarted, as of a systemd unit, needs python3. */
  static async start({ behindSocket = false } = {}): Promise<Dockerd> {
    const daemon = new Dockerd(behindSocket);
    try {
      await daemon.up();
      return daemon;
    } catch (error) {
      await daemon[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Its address, for DOCKER_HOST. */
  get address(): string {
    return `unix://${this.#dir}/docker.sock`;
  }

  /** This machine, where docker means this daemon. */
  executor(): Executor {
    const local = localExecutor();
    return {
      host: local.host,
      run: (command, options = {}) =>
        local.run(command, { ...options, env: { ...options.env, DOCKER_HOST: this.address } }),
      [Symbol.asyncDispose]: () => local[Symbol.asyncDispose](),
    };
  }

  /** Runs docker, which must work. */
  async docker(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await run("docker", ["-H", this.address, ...args]);
    assert.equal(code, 0, `docker ${args.join(" ")}: ${stderr}`);
    return stdout.trim();
  }

  /** Makes an image in it. */
  async image(tag: string, script: string): Promise<void> {
    await makeImage(tag, script, ["-H", this.address]);
  }

  /** Starts it; resolves when it answers. */
  async up(): Promise<void> {
    const dir = this.#dir;
    const log = `${dir}/log`;
    // In a network of its own: a daemon takes the bridge of the machine's own daemon away.
    this.#child = new Deno.Command("unshare", {
      args: [
        "--net",
        "sh",
        "-c",
        'd=$1 h=$2; shift 2; exec "$@" dockerd --data-root "$d/data" --exec-root "$d/exec" --host "$h" \
          --pidfile "$d/pid" --bridge none --iptables=false --storage-driver vfs >>"$d/log" 2>&1',
        "sh",
        dir,
        ...this.#behindSocket
          ? ["fd://", "python3", "-c", SOCKET_UNIT, `${dir}/docker.sock`]
          : [this.address],
      ],
      stdin: "null",
    }).spawn();
    await untilPasses(async () => {
      const { code } = await run("docker", ["-H", this.address, "version"]);
      assert.equal(code, 0, `dockerd does not answer: ${await Deno.readTextFile(log)}`);
    });
  }

  /** Ends it, as a restart of the machine or of docker does. */
  async down(): Promise<void> {
    this.#child?.kill("SIGTERM");
    await this.#child?.status;
    this.#child = null;
  }

  /** Restarts it behind its socket, where nobody is refused meanwhile. */
  restart(): void {
    assert(this.#behindSocket);
    this.#child?.kill("SIGUSR1");
  }

  /** It answers nothing any more, and does not end. */
  hold(): void {
    this.#child?.kill("SIGSTOP");
  }

  /** It goes on. */
  release(): void {
    this.#child?.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child !== null) {
      this.release();
      const { stdout } = await run("docker", ["-H", this.address, "ps", "-aq"]);
      const ids = stdout.split("\n").filter((id) => id !== "");
      if (ids.length > 0) await run("docker", ["-H", this.address, "rm", "-f", ...ids]);
      await this.down();
    }
    await run("sh", ["-c", 'umount "$1"/exec/netns/* 2>/dev/null; rm -rf "$1"', "sh", this.#dir]);
  }
}
