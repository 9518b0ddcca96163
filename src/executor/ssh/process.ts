/**
 * A command that runs in an SSH channel.
 *
 * @module
 */
// @ts-types="@types/ssh2"
import type { ClientChannel } from "ssh2";
import { getLogger } from "../../util/log.ts";
import { KILL_GRACE_MS } from "../limits.ts";
import { type Announcement, AnnouncementFilter } from "../output.ts";
import type { Exit, Process } from "../run_process.ts";
import { killGroupText, loginShellLine } from "../shell/shell_line.ts";
import { type ChannelPool, isRefusal } from "./channels.ts";
import { unreachable } from "./errors.ts";
import type { Hop } from "./types.ts";
import { settleWithin } from "../../util/async.ts";

const logger = getLogger(["harness", "executor"]);

/** What a process needs from its connection. */
export interface SshProcessOptions {
  /** Marks the line in which the command announces its pid. */
  nonce: string;
  /** The host, for messages. */
  hop: Hop;
  /** Opens a second channel, for kills. */
  channels: ChannelPool;
  /** Runs a line over a new connection, for kills when there is no second channel. */
  runElsewhere(line: string): Promise<void>;
}

/** A command in a channel, as {@linkcode Process}. */
export class SshProcess implements Process {
  readonly exited: Promise<Exit>;
  readonly closed: Promise<void>;
  readonly #channel: ClientChannel;
  readonly #options: SshProcessOptions;
  #gone = false;
  readonly #announced = Promise.withResolvers<Announcement>();

  /** Wraps a channel in which the command was just started. */
  constructor(channel: ClientChannel, options: SshProcessOptions) {
    this.#channel = channel;
    this.#options = options;
    const exit = Promise.withResolvers<Exit>();
    const why = "the command's channel closed without an exit status";
    channel.on("exit", (code: number | null, signal?: string) => {
      this.#gone = true;
      exit.resolve({ code, signal: signal ?? null });
    });
    channel.once("close", () => exit.reject(unreachable(options.hop, "run", "closed", why)));
    exit.promise.catch(() => {});
    this.exited = exit.promise;
    const ends = [channel.stdout, channel.stderr].map((stream) =>
      new Promise<void>((resolve) => stream.once("end", () => resolve()))
    );
    this.closed = Promise.all(ends).then(() => {});
  }

  /** See {@linkcode Process.stdin}. */
  get stdin(): Process["stdin"] {
    return this.#channel.stdin;
  }
  /** See {@linkcode Process.stdout}. */
  get stdout(): Process["stdout"] {
    return this.#channel.stdout as unknown as Process["stdout"];
  }
  /** See {@linkcode Process.stderr}. */
  get stderr(): Process["stderr"] {
    return this.#channel.stderr as unknown as Process["stderr"];
  }

  /** Removes the announcement from stdout. */
  filter(sink: (chunk: Uint8Array) => void): AnnouncementFilter {
    return new AnnouncementFilter(this.#options.nonce, sink, this.#announced.resolve);
  }

  /**
   * Kills the process group through a second channel: sshd forwards signals only since 7.9, not for root, and not to the
   * group. Before the announcement only the shell is running.
   */
  async kill(): Promise<void> {
    this.#channel.signal("KILL");
    let announcement: Announcement | null = null;
    const known = this.#announced.promise.then((found) => {
      announcement = found;
    });
    await settleWithin(Promise.race([known, this.exited]), KILL_GRACE_MS / 2);
    if (announcement === null) return;
    await this.#killGroup(announcement);
  }

  async #killGroup({ pid, ownGroup }: Announcement): Promise<void> {
    const line = loginShellLine(killGroupText(pid, { ownGroup, leaderGone: this.#gone }));
    const { channels, hop, runElsewhere } = this.#options;
    try {
      if (channels.limit > 1) return await channels.runAtOnce(line);
    } catch (refusal) {
      // Do not reconnect for this after a lost connection: the host may be down.
      if (!isRefusal(refusal)) return;
    }
    // No second channel (MaxSessions 1, dropbear): use another connection.
    await runElsewhere(line).catch((error) => {
      logger.warn("Cannot kill process group {pid} on {host}: {error}", {
        pid,
        host: hop.label,
        error: String(error),
      });
    });
  }

  /** Closes the channel and discards what still arrives. */
  release(): void {
    this.#channel.close();
    this.#channel.stdout.resume();
    this.#channel.stderr.resume();
  }
}
