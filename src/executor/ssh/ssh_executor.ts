/**
 * Runs commands over one SSH connection.
 *
 * @module
 */
import { getLogger } from "../../util/log.ts";
import { HarnessError } from "../../errors.ts";
import {
  OPENSSH_MAX_LINE_BYTES,
  SSH_CLOSE_GRACE_MS,
  SSH_KILL_GRACE_MS,
  SSH_MAX_LINE_BYTES,
} from "../limits.ts";
import { settleWithin } from "../../util/async.ts";
import type { Command, Executor, RunOptions, RunResult, Stdin } from "../executor.ts";
import { stdinScript } from "../shell/stdin_script.ts";
import { runProcess } from "../run_process.ts";
import { announceText, commandName, loginShellLine, shellText } from "../shell/shell_line.ts";
import { ChannelPool } from "./channels.ts";
import { closeConnections, type HopConnection } from "./connection.ts";
import { unreachable } from "./errors.ts";
import { SshProcess } from "./process.ts";
import type { Hop } from "./types.ts";
import { serverSoftware } from "./server_software.ts";

const logger = getLogger(["harness", "executor"]);

/** One connection, over any number of hops, and the commands that run on it. */
export class SshExecutor implements Executor {
  readonly host: string;
  readonly #hop: Hop;
  readonly #connections: readonly HopConnection[];
  readonly #channels: ChannelPool;
  readonly #runElsewhere: (line: string) => Promise<void>;
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;
  readonly #maxLineBytes: number;
  #isLost = false;

  constructor(
    hop: Hop,
    connections: readonly HopConnection[],
    options: { maxChannels: number; runElsewhere: (line: string) => Promise<void> },
  ) {
    this.#runElsewhere = async (line) => {
      if (!this.#isLost) await options.runElsewhere(line);
    };
    this.host = hop.label;
    this.#hop = hop;
    this.#connections = connections;
    const last = connections[connections.length - 1];
    if (last === undefined) throw new TypeError("Cannot use a route without a hop");
    this.#maxLineBytes = serverSoftware(last.client).startsWith("OpenSSH")
      ? OPENSSH_MAX_LINE_BYTES
      : SSH_MAX_LINE_BYTES;
    this.#channels = new ChannelPool(last.client, hop, options.maxChannels);
    last.client.on("error", (error) => this.#lost(error));
    last.client.once("close", () => this.#lost(undefined));
  }

  async run(command: Command, options: RunOptions = {}): Promise<RunResult> {
    options.signal?.throwIfAborted();
    this.#closing.signal.throwIfAborted();
    const nonce = `harness-${crypto.randomUUID()}`;
    const { line, stdin } = sessionLine(shellText(command, options), nonce, {
      stdin: options.stdin,
      maxBytes: this.#maxLineBytes,
    });
    const runOptions = stdin === undefined ? options : { ...options, stdin };
    const running = this.#run(line, nonce, commandName(command), runOptions);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  async #run(line: string, nonce: string, name: string, options: RunOptions): Promise<RunResult> {
    const signals = [this.#closing.signal, ...options.signal ? [options.signal] : []];
    const processOptions = {
      nonce,
      hop: this.#hop,
      channels: this.#channels,
      runElsewhere: this.#runElsewhere,
    };
    const process = await this.#channels.open(
      line,
      AbortSignal.any(signals),
      (channel) => new SshProcess(channel, processOptions),
    );
    using _ = options.onCrowded && this.#channels.yieldable(options.onCrowded);
    try {
      return await runProcess(process, {
        run: options,
        what: `${JSON.stringify(name)} on ${this.host}`,
        closing: this.#closing.signal,
      });
    } finally {
      this.#channels.release();
    }
  }

  /** The connection is lost: fails running commands and future ones with the reason. */
  #lost(error: Error | undefined): void {
    this.#isLost = true;
    if (this.#closing.signal.aborted) return;
    const why = /keepalive/i.test(error?.message ?? "")
      ? "the host stopped responding; it or the network went down"
      : `the connection broke${error === undefined ? "" : `: ${error.message}`}`;
    logger.warn("Lost the connection to {host}: {why}", { host: this.host, why });
    this.#closing.abort(unreachable(this.#hop, "run", "closed", why, error));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort(
      new HarnessError("cancelled", `Cannot go on with ${this.host}: the connection was closed`),
    );
    const ended = Promise.allSettled(this.#running);
    await settleWithin(ended, SSH_KILL_GRACE_MS);
    // A host that has not let its commands be killed by now is silent: it would not close either.
    await closeConnections(this.#connections, this.#running.size > 0 ? 0 : SSH_CLOSE_GRACE_MS);
    await ended;
  }
}

/** The line for the login shell; a long command is sent on stdin, before its own input. */
function sessionLine(
  text: string,
  nonce: string,
  { stdin, maxBytes }: { stdin: Stdin | undefined; maxBytes: number },
): { line: string; stdin: Stdin | undefined } {
  if (text.length <= maxBytes) {
    const line = loginShellLine(announceText(nonce) + text);
    if (new TextEncoder().encode(line).length <= maxBytes) return { line, stdin };
  }
  const sent = stdinScript(text, stdin, nonce);
  return { line: loginShellLine(announceText(nonce) + sent.text), stdin: sent.stdin };
}
