/**
 * Fan-out and request rate of both listeners, beside a bare `Deno.serve` in the same run:
 * `deno run -A tests/bench/server_bench.ts`. The client shares the machine, so compare, do not quote.
 */
import { RawSocket } from "../helpers/raw_socket.ts";

const SUBSCRIBERS = 200;
const EVENTS = 300;
const CALLERS = 64;
const CALLS = 300;

/** Counts whole frames in a stream of bytes without looking into them. */
class FrameCounter {
  count = 0;
  #head: number[] = [];
  #skip = 0;

  add(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, bytes.length - at);
        this.#skip -= step;
        at += step;
        continue;
      }
      this.#head.push(bytes[at++] ?? 0);
      const length = (this.#head[1] ?? 0) & 0x7f;
      if (this.#head.length === 2 && length < 126) this.#frame(length);
      else if (this.#head.length === 4) {
        this.#frame(((this.#head[2] ?? 0) << 8) | (this.#head[3] ?? 0));
      }
    }
  }

  #frame(length: number): void {
    this.count++;
    this.#skip = length;
    this.#head = [];
  }
}

async function readFrames(socket: RawSocket, count: number): Promise<void> {
  const counter = new FrameCounter();
  const buffer = new Uint8Array(65536);
  while (counter.count < count) {
    const read = await socket.conn.read(buffer);
    if (read === null) throw new Error("closed by the server");
    counter.add(buffer.subarray(0, read));
  }
}

async function fanOut(port: number, publish: (line: string) => Promise<void>): Promise<number> {
  const sockets: RawSocket[] = [];
  for (let i = 0; i < SUBSCRIBERS; i++) {
    const socket = await RawSocket.open({ port });
    await socket.text('{"id":"1","type":"request","action":"subscribe"}');
    await readAck(socket);
    sockets.push(socket);
  }
  const start = performance.now();
  const all = Promise.all(sockets.map((socket) => readFrames(socket, EVENTS)));
  await publish(`publish ${EVENTS} 10\n`);
  await all;
  const rate = SUBSCRIBERS * EVENTS / ((performance.now() - start) / 1000);
  for (const socket of sockets) socket[Symbol.dispose]();
  return rate;
}

/** Takes hello and the acknowledgement off the socket. */
async function readAck(socket: RawSocket): Promise<void> {
  const frames = socket.frames();
  for (const _ of ["hello", "acknowledgement"]) await frames.next();
}

async function calls(port: number): Promise<number> {
  const request = '{"id":"1","type":"request","action":"get_service","params":{"name":"api"}}';
  const sockets = await Promise.all(
    Array.from({ length: CALLERS }, () => RawSocket.open({ port })),
  );
  const start = performance.now();
  await Promise.all(sockets.map(async (socket) => {
    const frames = socket.frames();
    await frames.next();
    for (let i = 0; i < CALLS; i++) {
      await socket.text(request);
      await frames.next();
    }
  }));
  const rate = CALLERS * CALLS / ((performance.now() - start) / 1000);
  for (const socket of sockets) socket[Symbol.dispose]();
  return rate;
}

for (const kind of ["bare", "deno", "ws"]) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("./server_child.ts", import.meta.url).pathname, kind],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const port = Number((await reader.read()).value);
  const stdin = child.stdin.getWriter();
  const publish = (line: string) => stdin.write(new TextEncoder().encode(line));
  const deliveries = await fanOut(port, publish);
  const rpc = await calls(port);
  const line = `${kind.padEnd(5)} fan-out ${Math.round(deliveries)} deliveries/s, ${
    Math.round(rpc)
  } calls/s\n`;
  Deno.stdout.writeSync(new TextEncoder().encode(line));
  child.kill("SIGKILL");
  await child.status;
}
Deno.exit();
