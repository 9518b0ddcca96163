import assert from "node:assert/strict";
import fc from "fast-check";
import { SERVICE_LOG_MAX_BYTES } from "../../src/limits.ts";
import { LineSplitter, tailCommand, tailLog } from "../../src/lifecycle/logs.ts";
import { PROCESS_KEEPER } from "../../src/lifecycle/process_shell.ts";
import { eventually, localMachine, Place, processController } from "./fixture.ts";

const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("LineSplitter gives the same lines wherever the bytes are cut", () => {
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

Deno.test("LineSplitter handles partial lines, CRLF, long lines and bytes that are no text", () => {
  const splitter = new LineSplitter(8);
  assert.deepEqual(splitter.push(encode("one\r\ntw")), ["one"]);
  assert.deepEqual(splitter.push(encode("o\n\nlast")), ["two", ""]);
  assert.deepEqual(splitter.flush(), ["last"]);
  assert.deepEqual(splitter.flush(), []);
  assert.deepEqual(splitter.push(encode("12345678\n123456789\n")), ["12345678", "12345678", "9"]);
  assert.deepEqual(splitter.push(new Uint8Array([0xff, 0x00, 0x41, 0x0a])), ["\ufffd\0A"]);
});

Deno.test("LineSplitter keeps no more than one line, however long it gets", () => {
  const splitter = new LineSplitter(1024);
  let pieces = 0;
  for (let i = 0; i < 1000; i++) pieces += splitter.push(new Uint8Array(1000).fill(97)).length;
  assert.equal(pieces, Math.floor(1000 * 1000 / 1024));
});

Deno.test("tailLog() goes back into the rotated file and keeps what is asked for", async () => {
  await using place = new Place();
  await using machine = await localMachine();
  const log = place.path("a.log");
  const tail = (lines: number) => tailLog(machine.executor, tailCommand(log, lines), lines);
  assert.deepEqual(await tail(5), [], "no log yet");
  await Deno.writeTextFile(`${log}.1`, "1\n2\n3\n");
  await Deno.writeTextFile(log, "4\n5\npartial");
  assert.deepEqual(await tail(4), ["3", "4", "5", "partial"]);
  assert.deepEqual(await tail(100), ["1", "2", "3", "4", "5", "partial"]);
  await Deno.writeTextFile(log, "x".repeat(5 * 1024 * 1024) + "\nend\n");
  const long = await tail(10_000);
  assert.equal(long.at(-1), "end");
  assert.ok(long.reduce((sum, line) => sum + line.length, 0) <= 2 * 1024 * 1024);
});

Deno.test("followLog() ends when its iterator is closed and leaves no reader behind", async () => {
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

Deno.test("the keeper rotates a log while its service goes on writing to it", async () => {
  await using place = new Place();
  await using machine = await localMachine();
  assert.ok(PROCESS_KEEPER.includes("h_rotate"));
  await Deno.mkdir(place.path("log"));
  const log = place.path("log/big.log");
  await Deno.writeTextFile(`${log}.1`, "older\n");
  const script = `head -c ${
    SERVICE_LOG_MAX_BYTES + 1000
  } /dev/zero | tr '\\0' 'x'; echo; while :; do echo after; sleep 0.1; done`;
  const controller = processController(machine, place.shell("big", script));
  await controller.start();
  await eventually(async () =>
    assert.ok((await Deno.stat(`${log}.1`)).size > SERVICE_LOG_MAX_BYTES)
  );
  await eventually(async () => assert.equal((await controller.logs(1))[0], "after"));
  await eventually(async () => assert.ok((await Deno.stat(log)).size < 100_000));
  assert.equal(await Deno.readTextFile(`${log}.2`), "older\n");
  await controller.stop();
});
