/** What the bare servers send: texts that the product has sent, from the file that is their first argument. */
import { readFileSync } from "node:fs";
import process from "node:process";

/** `data` by action as the product answered, and an `event` as it sent it. */
const recorded = JSON.parse(readFileSync(process.argv[2], "utf8"));

export const answers = {
  hello: '{"type":"event","event":"hello"}',
  event: recorded.event,
  /** Only the id is put in: a bare server has nothing to look up. */
  to: (id, action) => `{"id":"${id}","type":"response","data":${recorded.data[action] ?? "{}"}}`,
};
