/**
 * SIGKILL of the real server under 64-way writes over its WebSocket: after each restart every acknowledged
 * change is there, and a subscriber goes on exactly where it was.
 */
import assert from "node:assert/strict";
import { say, withTempDir } from "./recording.ts";

const ROUNDS = Number(Deno.env.get("HARNESS_KILL_SERVER_ROUNDS") ?? 15);
const MAIN = new URL("../../src/cli/main.ts", import.meta.url).pathname;
const CONNECTIONS = 4;
const WRITERS = 16;
const MAX_LIFE_MS = 400;

// deno-lint-ignore no-explicit-any
type Frame = Record<string, any>;

/** A connection that answers requests by promises; what is open when it dies never resolves. */
class Connection {
  readonly socket: WebSocket;
  readonly hello: Promise<Frame>;
  readonly closed: Promise<void>;
  onEvent: (frame: Frame) => void = () => {};
  readonly #answers = new Map<string, (frame: Frame) => void>();
  #next = 0;

  constructor(url: string) {
    this.socket = new WebSocket(url);
    let greet: (frame: Frame) => void;
    this.hello = new Promise((resolve) => greet = resolve);
    this.closed = new Promise((resolve) => this.socket.onclose = () => resolve());
    this.socket.onerror = (event) => event.preventDefault();
    this.socket.onmessage = ({ data }) => {
      const frame: Frame = JSON.parse(data);
      if (frame.event === "hello") greet(frame);
      else if (frame.type === "event") this.onEvent(frame);
      else this.#answers.get(frame.id)?.(frame);
      if (frame.type === "response") this.#answers.delete(frame.id);
    };
  }

  /** Sends a request; `null` when the connection ends first. */
  async call(action: string, params: Frame): Promise<Frame | null> {
    if (this.socket.readyState !== WebSocket.OPEN) return null;
    const id = String(this.#next++);
    const answer = new Promise<Frame>((resolve) => this.#answers.set(id, resolve));
    this.socket.send(JSON.stringify({ id, type: "request", action, params }));
    return await Promise.race([answer, this.closed.then(() => null)]);
  }
}

interface Server {
  url: string;
  kill(): Promise<void>;
}

async function start(stateDir: string): Promise<Server> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", MAIN, "serve", "--listen", "127.0.0.1:0"]
      .concat("--state-dir", stateDir),
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let text = "";
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    assert.ok(!done, `the server did not start: ${text}`);
    text += value;
  }
  const url = /(ws:\/\/\S+)/.exec(text)?.[1];
  assert.ok(url !== undefined, text);
  return {
    url,
    async kill(): Promise<void> {
      child.kill("SIGKILL");
      await child.status;
      await reader.cancel();
    },
  };
}

/** Where the subscriber is, and what every writer was told. */
interface Known {
  epoch: string;
  seq: number;
  events: number;
  acknowledged: Map<string, number>;
}

async function follow(connection: Connection, known: Known, round: number): Promise<void> {
  const hello = await connection.hello;
  if (round === 0) {
    known.epoch = hello.data.epoch;
    known.seq = hello.data.seq;
  }
  assert.equal(hello.data.epoch, known.epoch, `round ${round}`);
  assert.ok(hello.data.seq >= known.seq, "what was seen is there");
  connection.onEvent = (frame) => {
    if (frame.event === "bookmark" || frame.seq === undefined) return;
    assert.equal(frame.seq, known.seq + 1, `round ${round}: a gap`);
    known.seq = frame.seq;
    known.events++;
  };
  const since = { epoch: known.epoch, seq: known.seq };
  const answer = await connection.call("subscribe", { since });
  assert.equal(answer?.data?.resumed, "replayed", JSON.stringify(answer));
}

async function write(connection: Connection, id: string, known: Known): Promise<void> {
  // The server may be killed before this connection is open.
  await Promise.race([connection.hello, connection.closed]);
  if (!known.acknowledged.has(id)) {
    const execution = { type: "systemd_service", unit_name: "x.service" };
    const service = { name: id, version: "0", execution, labels: { n: "0" } };
    const answer = await connection.call("register_service", { service, replace: true });
    if (answer === null) return;
    assert.ok(answer.data !== undefined, JSON.stringify(answer));
    known.acknowledged.set(id, 0);
  }
  for (;;) {
    const n = (known.acknowledged.get(id) ?? 0) + 1;
    const answer = await connection.call("update_service", { name: id, labels: { n: String(n) } });
    if (answer === null) return;
    if (answer.error?.code === "rate_limited") {
      // The next second has room again.
      await new Promise((resolve) => setTimeout(resolve, 20));
      continue;
    }
    assert.ok(answer.data !== undefined, JSON.stringify(answer));
    known.acknowledged.set(id, n);
  }
}

/** Everything acknowledged must be listed; a change that was under way may be. */
async function check(connection: Connection, known: Known, round: number): Promise<void> {
  const listed = await connection.call("list_services", {});
  const found = new Map<string, number>();
  for (const { id, labels } of listed?.data ?? []) found.set(id, Number(labels.n));
  for (const [id, n] of known.acknowledged) {
    const there = found.get(id);
    assert.ok(there === n || there === n + 1, `round ${round}: ${id} has ${there}, told ${n}`);
    known.acknowledged.set(id, there);
  }
}

Deno.test(`serve: ${ROUNDS} SIGKILLs lose no change and no event`, async () => {
  await withTempDir(async (dir) => {
    const known: Known = { epoch: "", seq: 0, events: 0, acknowledged: new Map() };
    for (let round = 0; round <= ROUNDS; round++) {
      const server = await start(dir);
      const connections = Array.from({ length: CONNECTIONS }, () => new Connection(server.url));
      const [first] = connections;
      assert.ok(first !== undefined);
      const writers: Promise<void>[] = [];
      try {
        await follow(first, known, round);
        await check(first, known, round);
        for (const [c, connection] of connections.entries()) {
          for (let w = 0; w < WRITERS; w++) {
            writers.push(write(connection, `s${c}-${w}`, known));
          }
        }
        await new Promise((resolve) => setTimeout(resolve, Math.random() * MAX_LIFE_MS));
      } finally {
        await server.kill();
        await Promise.all(connections.map((connection) => connection.closed));
      }
      await Promise.all(writers);
    }
    assert.ok(known.events > ROUNDS * 8, `only ${known.events} events`);
    say(`${ROUNDS} kills of the server, ${known.events} events without a gap, 0 changes lost`);
  });
});
