import assert from "node:assert/strict";
import fc from "fast-check";
import { MAX_LOG_TAIL_LINES } from "../../src/model/limits.ts";
import { SERVICE_LOG_KEEP, SERVICE_LOG_MAX_BYTES } from "../../src/lifecycle/limits.ts";
import { LineSplitter } from "../../src/lifecycle/logs.ts";
import { LOCAL, localMachine, Place, processController } from "./fixture.ts";
import { testLongLine } from "./logs_cases.ts";
import { untilPasses } from "../helpers/raw_client.ts";

testLongLine(LOCAL);

const LOOP = "while :; do sleep 0.2; done";

const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("LineSplitter: same lines wherever the bytes are cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: "grapheme", maxLength: 20 }).filter((s) => !/[\r\n]/.test(s))),
      fc.array(fc.nat(40)),
      (lines, cuts) => {
        const bytes = encode(lines.map((line) => `${line}\n`).join(""));
        const splitter = new LineSplitter(1000);
        const found: string[] = [];
        let from = 0;
        for (const cut of cuts) {
          found.push(...splitter.push(bytes.slice(from, from + cut)));
          from += cut;
        }
        found.push(...splitter.push(bytes.slice(from)), ...splitter.flush());
        assert.deepEqual(found, lines);
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("LineSplitter: partial, CRLF, long and binary lines", () => {
  const splitter = new LineSplitter(8);
  assert.deepEqual(splitter.push(encode("one\r\ntw")), ["one"]);
  assert.deepEqual(splitter.push(encode("o\n\nlast")), ["two", ""]);
  assert.deepEqual(splitter.flush(), ["last"]);
  assert.deepEqual(splitter.flush(), []);
  assert.deepEqual(splitter.push(encode("12345678\n123456789\n")), ["12345678", "12345678", "9"]);
  assert.deepEqual(splitter.push(new Uint8Array([0xff, 0x00, 0x41, 0x0a])), ["\ufffd\0A"]);
});

Deno.test("LineSplitter: buffers one bounded line", () => {
  const splitter = new LineSplitter(1024);
  let pieces = 0;
  for (let i = 0; i < 1000; i++) pieces += splitter.push(new Uint8Array(1000).fill(97)).length;
  assert.equal(pieces, Math.floor(1000 * 1000 / 1024));
});

Deno.test("logs: reads back into the rotated file", async () => {
  await using place = new Place();
  await using machine = await localMachine();
  const log = place.path("log/a.log");
  const controller = processController(machine, place.shell("a", "exit 0"));
  const tail = (lines: number) => controller.logs(lines);
  assert.deepEqual(await tail(5), [], "no log yet");
  await Deno.mkdir(place.path("log"));
  await Deno.writeTextFile(`${log}.1`, "1\n2\n3\n");
  await Deno.writeTextFile(log, "4\n5\npartial");
  assert.deepEqual(await tail(4), ["3", "4", "5", "partial"]);
  assert.deepEqual(await tail(100), ["1", "2", "3", "4", "5", "partial"]);
  await Deno.writeTextFile(log, "x".repeat(5 * 1024 * 1024) + "\nend\n");
  const long = await tail(10_000);
  assert.equal(long.at(-1), "end");
  assert.ok(long.reduce((sum, line) => sum + line.length, 0) <= 2 * 1024 * 1024);
});

Deno.test("logs: since a time, from the mark before it", async () => {
  await using place = new Place();
  await using machine = await localMachine();
  const log = place.path("log/a.log");
  const controller = processController(machine, place.shell("a", "exit 0"));
  const since = (seconds: number, lines = 10) =>
    controller.logs(lines, { sinceMs: seconds * 1000 + 999 });
  await Deno.mkdir(place.path("log"));
  await Deno.writeTextFile(`${log}.1`, "1\n2\n");
  await Deno.writeTextFile(log, "3\nfour\n5\n");
  await assert.rejects(since(100), /has no times yet.*restart the service/);
  const [older, newer] = [(await Deno.stat(`${log}.1`)).ino, (await Deno.stat(log)).ino];
  const marks = [
    // Of a file that is gone, whose inode the newer one has.
    [90, newer, 7],
    [100, older, 0],
    [110, older, 2],
    [120, newer, 0],
    [130, newer, 4],
    [140, newer, 9],
  ];
  await Deno.writeTextFile(`${log}.times`, marks.map((mark) => `${mark.join(" ")}\n`).join(""));
  assert.deepEqual(await since(80), ["1", "2", "3", "four", "5"]);
  assert.deepEqual(await since(95), ["1", "2", "3", "four", "5"]);
  assert.deepEqual(await since(110), ["2", "3", "four", "5"]);
  assert.deepEqual(await since(119, 2), ["four", "5"]);
  assert.deepEqual(await since(125), ["3", "four", "5"]);
  assert.deepEqual(await since(130), ["5"], "no line from its middle");
  assert.deepEqual(await since(150), []);
});

Deno.test("logs: the times of a running process are noted", async () => {
  await using place = new Place();
  await using machine = await localMachine();
  const controller = processController(machine, place.shell("timed", `echo up; ${LOOP}`));
  await controller.start();
  const marks = place.path("log/timed.log.times");
  await untilPasses(async () => assert.match(await Deno.readTextFile(marks), /^\d+ \d+ \d+$/m));
  await untilPasses(async () =>
    assert.deepEqual(await controller.logs(9, { sinceMs: Date.now() - 3_600_000 }), ["up"])
  );
  await controller.stop();
});

Deno.test("followLog: closing the iterator ends the reader", async () => {
  await using place = new Place();
  await using machine = await localMachine();
  const controller = processController(
    machine,
    place.shell("chatty", "while :; do echo tick; sleep 0.05; done"),
  );
  await controller.start();
  for await (const line of controller.follow()) {
    assert.equal(line, "tick");
    break;
  }
  await controller.stop();
});

Deno.test("log: rotated while its service writes", async () => {
  await using place = new Place();
  await using machine = await localMachine();
  await Deno.mkdir(place.path("log"));
  const log = place.path("log/big.log");
  await Deno.writeTextFile(`${log}.1`, "older\n");
  const script = `head -c ${
    SERVICE_LOG_MAX_BYTES + 1000
  } /dev/zero | tr '\\0' 'x'; echo; while :; do echo after; sleep 0.1; done`;
  const controller = processController(machine, place.shell("big", script));
  await controller.start();
  await untilPasses(async () => assert.equal((await controller.logs(1))[0], "after"));
  await untilPasses(async () =>
    assert.ok((await Deno.stat(`${log}.1`)).size > SERVICE_LOG_MAX_BYTES / 2)
  );
  assert.ok((await Deno.stat(log)).size < SERVICE_LOG_MAX_BYTES / 2);
  assert.equal(await Deno.readTextFile(`${log}.2`), "older\n");
  const run = await controller.logs(MAX_LOG_TAIL_LINES, { lastRun: true });
  assert.ok(run.join("").length > 1000 && !run.includes("older"), "the run goes over the rotation");
  await controller.stop();
});

/** Processes whose stdin is the pipe `link`. */
async function readersOf(link: string): Promise<number[]> {
  const found: number[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    if (await Deno.readLink(`/proc/${name}/fd/0`).catch(() => "") === link) {
      found.push(Number(name));
    }
  }
  return found;
}

async function parentOf(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => ") ? 0");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

Deno.test("log: B4, bounded however fast it is written", async () => {
  await using place = new Place();
  await using machine = await localMachine();
  const controller = processController(machine, place.shell("yes", "exec yes"));
  await controller.start();
  const size = () =>
    [...Deno.readDirSync(place.path("log"))].reduce((sum, { name }) => {
      try {
        return sum + Deno.statSync(place.path(`log/${name}`)).size;
      } catch {
        return sum; // renamed meanwhile
      }
    }, 0);
  const said = /^\[harness: \d+ bytes of older output were removed/;
  await untilPasses(async () => {
    assert.ok(size() <= (SERVICE_LOG_KEEP + 1) * SERVICE_LOG_MAX_BYTES, String(size()));
    const head = await Deno.readTextFile(place.path("log/yes.log")).catch(() => "");
    assert.match(head.slice(0, 200), said);
  });
  assert.ok(size() > SERVICE_LOG_KEEP * SERVICE_LOG_MAX_BYTES / 2, "what is kept is kept");
  // In a file that was just begun, the note is one of the last two lines.
  await untilPasses(async () => assert.deepEqual(await controller.logs(2), ["y", "y"]));
  await controller.stop();
  assert.ok(size() <= (SERVICE_LOG_KEEP + 1) * SERVICE_LOG_MAX_BYTES, String(size()));
});

for (const who of ["all", "shells"]) {
  Deno.test(`log: killed writers are started again, ${who}`, async () => {
    await using place = new Place();
    await using machine = await localMachine();
    const gate = place.path("gate");
    const controller = processController(
      machine,
      place.shell("pipe", `echo one; until [ -e ${gate} ]; do sleep 0.1; done; echo two; ${LOOP}`),
    );
    const { pid } = await controller.start();
    const pipe = await Deno.readLink(`/proc/${pid}/fd/1`);
    assert.match(pipe, /pipe/);
    const record = await Deno.readTextFile(place.path("run/pipe.pid"));
    const shim = Number(/wrapper=(\d+)/.exec(record)?.[1]);
    await untilPasses(async () => assert.deepEqual(await controller.logs(5), ["one"]));
    const readers = await readersOf(pipe);
    const all = await Promise.all(readers.map(async (pid) => ({
      pid,
      parent: await parentOf(pid),
      isShell: !(await Deno.readTextFile(`/proc/${pid}/cmdline`)).startsWith("dd\0"),
    })));
    // Who watches over the writer lives on: the shim, and its child.
    const killed = all.filter(({ pid, parent }) => pid !== shim && parent !== shim)
      .filter(({ isShell }) => who === "all" || isShell).map(({ pid }) => pid);
    assert.ok(killed.length >= (who === "all" ? 3 : 2), JSON.stringify(all));
    for (const pid of killed) Deno.kill(pid, "SIGKILL");
    // Until it has run once more, a killed process can still take what comes from the pipe into its end.
    await untilPasses(async () => {
      const left = await readersOf(pipe);
      assert.deepEqual(killed.filter((pid) => left.includes(pid)), []);
    });
    await Deno.writeTextFile(gate, "");
    await untilPasses(async () => assert.deepEqual(await controller.logs(5), ["one", "two"]));
    assert.ok((await controller.status()).running);
    await controller.stop();
  });
}

Deno.test("log: written on when the shim is killed", async () => {
  await using place = new Place();
  await using machine = await localMachine();
  const gate = place.path("gate");
  const controller = processController(
    machine,
    place.shell("alone", `while [ ! -e ${gate} ]; do sleep 0.1; done; echo on; ${LOOP}`),
  );
  await controller.start();
  const shim = Number(
    /wrapper=(\d+)/.exec(await Deno.readTextFile(place.path("run/alone.pid")))?.[1],
  );
  Deno.kill(shim, "SIGKILL");
  await Deno.writeTextFile(gate, "");
  await untilPasses(async () => assert.deepEqual(await controller.logs(5), ["on"]));
  await controller.stop();
});
