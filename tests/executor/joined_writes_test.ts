/** What ssh2 writes in parts goes out at once. */
import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { joinWrites } from "../../src/executor/ssh/workarounds/joined_writes.ts";

/** A stream, and what each of its system calls would have been. */
function recorded(): { stream: Writable; writes: string[] } {
  const writes: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      writes.push(String(chunk));
      done();
    },
    writev(chunks, done) {
      writes.push(chunks.map(({ chunk }) => String(chunk)).join("+"));
      done();
    },
  });
  return { stream, writes };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("joinWrites: the parts of a turn are one write", async () => {
  const { stream, writes } = recorded();
  joinWrites(stream);
  stream.write("length");
  await new Promise<void>((resolve) => {
    stream.write("data");
    stream.write("digest", () => resolve());
  });
  stream.write("next");
  await turn();
  assert.deepEqual(writes, ["length+data+digest", "next"]);
});

Deno.test("joinWrites: the end sends what was written", async () => {
  const { stream, writes } = recorded();
  joinWrites(stream);
  stream.write("a");
  stream.end("b");
  await turn();
  assert.deepEqual(writes, ["a+b"]);
});
