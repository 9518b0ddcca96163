import assert from "node:assert/strict";
import { configure, type LogRecord, reset } from "@logtape/logtape";
import { getLogger } from "../../src/util/log.ts";
import { eventually } from "../helpers/raw_client.ts";

Deno.test("log: LogTape has all lines in their order", async () => {
  const records: LogRecord[] = [];
  await configure({
    sinks: { sink: (record) => void records.push(record) },
    loggers: [
      { category: "harness", lowestLevel: "info", sinks: ["sink"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: [] },
    ],
  });
  try {
    const log = getLogger(["harness", "test"]);
    log.info("The {first} of {all}", { first: 1, all: [2], other: true });
    log.debug("too much");
    log.warn("the second");
    await eventually(() => records.length === 2, "LogTape is loaded");
    log.error("at once");
    assert.deepEqual(records.map(({ level, message }) => [level, ...message]), [
      ["info", "The ", 1, " of ", [2], ""],
      ["warning", "the second"],
      ["error", "at once"],
    ]);
    const [{ category, properties, rawMessage } = {}] = records;
    assert.deepEqual(category, ["harness", "test"]);
    assert.deepEqual(properties, { first: 1, all: [2], other: true });
    assert.equal(rawMessage, "The {first} of {all}");
  } finally {
    await reset();
  }
});

Deno.test("log: a filter of LogTape that throws stops nothing", async () => {
  // In a process of its own: LogTape is loaded with the first line.
  const script = `
    import { configure } from "@logtape/logtape";
    import { getLogger } from "./src/util/log.ts";
    const filter = () => { throw new Error("filter") };
    const loggers = [{ category: "harness", lowestLevel: "info", filters: ["filter"], sinks: [] }];
    await configure({ filters: { filter }, sinks: {}, loggers: [...loggers, { category: ["logtape", "meta"], sinks: [] }] });
    getLogger(["harness"]).info("first");
    // Nothing tells that the line is lost: time in which LogTape is loaded and has it.
    await new Promise((resolve) => setTimeout(resolve, 100));
    console.log("goes on");`;
  const cwd = new URL("../../", import.meta.url);
  const args = ["eval", "--ext=ts", script];
  const { stdout } = await new Deno.Command(Deno.execPath(), { args, cwd }).output();
  assert.equal(new TextDecoder().decode(stdout), "goes on\n");
});
