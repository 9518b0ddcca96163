/** Apart from the tests with LogTape: the sink stays, for all tests of its file. */
import assert from "node:assert/strict";
import { getLogger, type LogRecord, setLogSink } from "../../src/util/log.ts";

Deno.test("log: the program takes the lines itself", () => {
  const records: LogRecord[] = [];
  setLogSink((record) => records.push(record));
  const log = getLogger(["harness", "test"]);
  log.warn("{name} is gone", { name: "web" });
  assert.deepEqual(records.map(({ level, message }) => [level, ...message]), [
    ["warning", "", "web", " is gone"],
  ]);
  setLogSink(() => {
    throw new Error("a full disk");
  });
  log.error("a line that cannot be written stops nothing");
});
