/** Peers that never read while events are published: their memory is bounded and others notice nothing. */
import assert from "node:assert/strict";
import { eventually, RawClient } from "../helpers/raw_client.ts";
import { RawSocket } from "../helpers/raw_socket.ts";
import { LISTENERS } from "../helpers/test_server.ts";

const STUCK_PEERS = 16;
const EVENTS = 1500;
const WARM_UP_EVENTS = 3000;
/** Events of one portion: far less than a send queue holds. */
const PORTION = 100;
const MIB = 1024 * 1024;

/** The server of stuck_server.ts. */
class Child implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;

  constructor(listener: string) {
    const script = new URL("./stuck_server.ts", import.meta.url).pathname;
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--v8-flags=--expose-gc", script, listener],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#lines = this.#read();
    this.#stdin = this.#process.stdin.getWriter();
  }

  /** Sends a command, if any, and reads the line it answers with: a number, and how many connections. */
  async ask(command?: string): Promise<[value: number, connections: number]> {
    if (command !== undefined) await this.#stdin.write(new TextEncoder().encode(`${command}\n`));
    const [value, connections] = String((await this.#lines.next()).value).split(" ").map(Number);
    return [value ?? NaN, connections ?? NaN];
  }

  async *#read(): AsyncGenerator<string> {
    let rest = "";
    for await (const text of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + text).split("\n");
      rest = parts.pop() ?? "";
      yield* parts;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stdin.write(new TextEncoder().encode("end\n"));
    await this.#stdin.close();
    const { success } = await this.#process.status;
    await this.#lines.return?.();
    assert.ok(success);
  }
}

/**
 * Publishes in portions, each once the healthy client has read the one before: nothing is kept for it to catch
 * up with, so it must not fall behind, however busy the machine is. Returns the seq of the last event.
 */
async function publish(
  { child, healthy }: { child: Child; healthy: RawClient },
  { count, burst }: { count: number; burst: number },
): Promise<number> {
  let last = 0;
  for (let sent = 0; sent < count; sent += PORTION) {
    [last] = await child.ask(`publish ${PORTION} ${burst}`);
    await healthy.take((frame) => frame["seq"] === last, `event ${last}`);
    healthy.drain();
  }
  return last;
}

for (const listener of LISTENERS) {
  Deno.test(`server ${listener}: bounds the memory of a stuck peer`, async () => {
    await using child = new Child(listener);
    const [port] = await child.ask();
    await using healthy = await RawClient.ready(`ws://127.0.0.1:${port}`);
    await healthy.call("subscribe");
    // The heap of a busy server grows at first.
    await publish({ child, healthy }, { count: WARM_UP_EVENTS, burst: 100 });
    const [before] = await child.ask("memory");

    using stack = new DisposableStack();
    const stuck: RawSocket[] = [];
    for (let i = 0; i < STUCK_PEERS; i++) {
      const socket = await RawSocket.open({ port });
      await socket.text('{"id":"1","type":"request","action":"subscribe"}');
      stuck.push(stack.use(socket));
    }
    const last = await publish({ child, healthy }, { count: EVENTS, burst: 10 });
    const [after] = await child.ask("memory");
    const perPeer = (after - before) / STUCK_PEERS / MIB;
    assert.ok(perPeer <= 2, `${perPeer.toFixed(2)} MiB for each stuck peer`);

    await eventually(async () => (await child.ask("memory"))[1] === 1, "the stuck ones are gone");

    // The healthy one got everything, in order, and no event was sent twice.
    const seqs = healthy.log.filter((frame) => frame["event"] === "endpoint_updated")
      .map((frame) => frame["seq"]);
    assert.deepEqual(seqs, Array.from({ length: last - 1 }, (_, i) => 2 + i));
    assert.equal(last, 1 + WARM_UP_EVENTS + EVENTS);

    // A stuck one that begins to read finds events, and at the end why it was closed, or a cut.
    const code = await stuck[0]?.readCloseCode();
    assert.ok(code === 4408 || code === null, `closed with ${code}`);
  });
}
