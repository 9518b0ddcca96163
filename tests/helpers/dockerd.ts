/** A docker daemon of a test's own, which it may stop, hold and start again. Needs root and dockerd. */
import assert from "node:assert/strict";
import type { Executor } from "../../src/executor/executor.ts";
import { localExecutor } from "../../src/executor/local.ts";
import { eventually } from "../lifecycle/fixture.ts";
import { makeImage } from "./containers.ts";
import { run } from "../hosts/docker.ts";

/** A daemon with its own containers and images. Disposing of it ends it and all of its containers. */
export class Dockerd implements AsyncDisposable {
  readonly #dir = Deno.makeTempDirSync({ prefix: "harness-dockerd-" });
  #child: Deno.ChildProcess | null = null;

  /** Starts a daemon. */
  static async start(): Promise<Dockerd> {
    const daemon = new Dockerd();
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
        'exec dockerd --data-root "$1/data" --exec-root "$1/exec" --host "$2" --pidfile "$1/pid" \
          --bridge none --iptables=false --storage-driver vfs >>"$1/log" 2>&1',
        "sh",
        dir,
        this.address,
      ],
      stdin: "null",
    }).spawn();
    await eventually(async () => {
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
