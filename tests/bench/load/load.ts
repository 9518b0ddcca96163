/** The load client where load.c cannot be built: the same options and the same report, at a higher cost per frame. */
const [mode = "", ...rest] = Deno.args;
const options = new Map<string, string>();
for (let i = 0; i < rest.length; i += 2) options.set(rest[i] ?? "", rest[i + 1] ?? "");
const number = (name: string, otherwise: number) => Number(options.get(name) ?? otherwise);

const port = number("--port", 0);
const connections = number("--connections", 1);
const inFlight = number("--in-flight", 1);
const limit = number("--count", 0);
const rate = number("--rate", 0);
const names = number("--names", 1);
const expected = number("--events", 0);
const frame = options.get("--frame") ?? "";
const subscribe = options.get("--subscribe") ?? "";
const WARM_MS = number("--warm", 0.3) * 1000;
const measuredMs = number("--seconds", 1) * 1000;

const HANDSHAKES = 128;
const PROBE_MS = 20;
const GIVE_UP_MS = 60_000;
const BOOKMARK = '{"type":"event","event":"bookmark"';

let sequence = 0;
let count = 0;
let waits: number[] = [];
let measuredFrom = performance.now();
let cpu = Deno.build.os === "linux" ? cpuMs() : [0, 0];

/** Processor time of this process and of the server, in milliseconds; 0 without /proc. */
function cpuMs(): number[] {
  return ["self", options.get("--pid") ?? "0"].map((pid) => {
    try {
      const text = Deno.readTextFileSync(`/proc/${pid}/stat`);
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
      return (Number(fields[11]) + Number(fields[12])) * 10;
    } catch {
      return 0;
    }
  });
}

function reset(): void {
  count = 0;
  waits = [];
  cpu = cpuMs();
  measuredFrom = performance.now();
}

function fail(text: string): never {
  Deno.stderr.writeSync(new TextEncoder().encode(`load: ${text}\n`));
  Deno.exit(2);
}

function filled(template: string, slot: number): string {
  const n = String(sequence % names).padStart(2, "0");
  const text = template.replaceAll("{id}", `${slot}`).replaceAll("{n}", n);
  return text.replaceAll("{v}", `${sequence++}`);
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Connects; resolves with the hello, and gives every later frame to `onText`. */
function connect(
  onText: (socket: WebSocket, text: string) => void,
  watched = true,
): Promise<WebSocket> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`);
    let isGreeted = false;
    socket.onmessage = ({ data }) => {
      if (isGreeted) return onText(socket, data);
      isGreeted = true;
      resolve(socket);
    };
    socket.onclose = ({ code }) => watched && fail(`a connection was closed with ${code}`);
    socket.onerror = () => watched && fail("a connection broke");
  });
}

/** Connects all, so many handshakes at a time. */
async function connectAll(
  onText: (socket: WebSocket, text: string) => void,
  onGreeted: (socket: WebSocket) => void = () => {},
): Promise<WebSocket[]> {
  const sockets: WebSocket[] = [];
  let started = 0;
  await Promise.all(Array.from({ length: HANDSHAKES }, async () => {
    while (started++ < connections) {
      const socket = await connect(onText);
      sockets.push(socket);
      onGreeted(socket);
    }
  }));
  return sockets;
}

async function requests(): Promise<void> {
  const sent = new Map<WebSocket, number[]>();
  const idle: [WebSocket, number][] = [];
  let done = () => {};
  const ask = (socket: WebSocket, slot: number) => {
    const times = sent.get(socket) ?? [];
    times[slot] = performance.now();
    socket.send(filled(frame, slot));
  };
  const sockets = await connectAll((socket, text) => {
    if (!text.startsWith('{"id"')) return;
    if (text.slice(0, 192).includes('"error":{')) fail(text.slice(0, 192));
    const slot = parseInt(text.slice(text.indexOf('"id":"') + 6));
    waits.push(performance.now() - (sent.get(socket)?.[slot] ?? NaN));
    count++;
    if (limit > 0 && sequence >= limit) return count >= limit ? done() : undefined;
    if (rate === 0) ask(socket, slot);
    else idle.push([socket, slot]);
  });
  sequence = 0;
  const begun = performance.now();
  reset();
  for (const socket of sockets) {
    sent.set(socket, []);
    for (let slot = 0; slot < inFlight; slot++) {
      if (limit > 0 && sequence >= limit) break;
      if (rate === 0) ask(socket, slot);
      else idle.push([socket, slot]);
    }
  }
  const timer = setInterval(() => {
    const due = (performance.now() - begun) / 1000 * rate;
    while (sequence < due && idle.length > 0) ask(...idle.pop()!);
  }, 1);
  if (limit > 0) await new Promise<void>((resolve) => done = resolve);
  else {
    await delay(WARM_MS);
    reset();
    await delay(measuredMs);
  }
  clearInterval(timer);
}

async function fanout(): Promise<void> {
  let [published, total, acknowledged] = [0, 0, 0];
  const times: number[] = [];
  const publishMore = () => {
    while (published - Math.floor(total / connections) < inFlight) {
      times[published] = performance.now();
      publisher.send(filled(frame, published++ % inFlight));
    }
  };
  await connectAll((_, text) => {
    if (text.startsWith('{"id"')) return void acknowledged++;
    if (text.startsWith(BOOKMARK)) return;
    count++;
    if (++total % connections !== 0) return;
    waits.push(performance.now() - (times[total / connections - 1] ?? NaN));
    publishMore();
  }, (socket) => socket.send(filled(subscribe, 0)));
  while (acknowledged < connections) await delay(5);
  const publisher = await connect((_, text) => {
    if (text.slice(0, 192).includes('"error":{')) fail(text.slice(0, 192));
  });
  publishMore();
  await delay(WARM_MS);
  reset();
  await delay(measuredMs);
}

async function resume(): Promise<void> {
  reset();
  const had = new Map<WebSocket, number>();
  let complete = 0;
  let isOver = false;
  const probes = setInterval(async () => {
    const begun = performance.now();
    const socket = await connect(() => {}, false);
    if (!isOver) waits.push(performance.now() - begun);
    socket.close();
  }, PROBE_MS);
  const all = connectAll((socket, text) => {
    if (text.startsWith('{"id"')) {
      return text.slice(0, 192).includes('"replayed"') ? undefined : fail(text.slice(0, 192));
    }
    if (text.startsWith(BOOKMARK)) return;
    count++;
    const events = (had.get(socket) ?? 0) + 1;
    had.set(socket, events);
    if (events === expected) complete++;
  }, (socket) => socket.send(filled(subscribe, 0)));
  const until = performance.now() + GIVE_UP_MS;
  while (complete < connections) {
    if (performance.now() > until) fail(`only ${complete} of ${connections} had all events`);
    await delay(5);
  }
  await all;
  isOver = true;
  clearInterval(probes);
}

const modes: Record<string, () => Promise<void>> = { requests, fanout, resume };
await (modes[mode] ?? (() => fail(`unknown mode ${mode}`)))();
const seconds = (performance.now() - measuredFrom) / 1000;
const [client_cpu, server_cpu] = cpuMs().map((ms, i) => (ms - (cpu[i] ?? 0)) / seconds / 10);
waits.sort((a, b) => a - b);
const percentile = (part: number) =>
  waits[Math.min(waits.length - 1, Math.floor(waits.length * part))] ?? 0;
const report = {
  ...{ count, seconds, rate: count / seconds, p50_ms: percentile(0.5), p99_ms: percentile(0.99) },
  ...{ max_ms: waits.at(-1) ?? 0, waits: waits.length, client_cpu, server_cpu },
};
Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(report)}\n`));
Deno.exit();
