/**
 * A process to be killed: opens the state dir given as argument and changes services from 64 sides, telling
 * each acknowledged change as a line `<id> <revision> <version>`, a removed one as `<id> 0`.
 */
import { Registry } from "../../src/registry/registry.ts";
import { FileStore } from "../../src/storage/file_store.ts";
import { serviceInput } from "../helpers/fixtures.ts";

const [dir, round] = Deno.args;
if (dir === undefined || round === undefined) throw new Error("usage: kill_child.ts <dir> <round>");
const WRITERS = 64;
const encoder = new TextEncoder();

function say(line: string): void {
  const bytes = encoder.encode(`${line}\n`);
  let at = 0;
  while (at < bytes.length) at += Deno.stdout.writeSync(bytes.subarray(at));
}

// Started ahead of its turn: it touches nothing before it is told to.
await Deno.stdin.read(new Uint8Array(1));
const tuning = { segmentBytes: 64 * 1024, historyEvents: 100, snapshotDelayMs: 1 };
const registry = await Registry.open(new FileStore({ dir, tuning }));
for (const warning of registry.warnings) say(`! ${warning}`);
say(`= ${registry.epoch} ${registry.seq}`);

async function write(writer: number): Promise<never> {
  const id = `s${writer}`;
  let entry = await registry.register(serviceInput(id, { version: `${round}.r` }), {
    replace: true,
  });
  say(`${id} ${entry.revision} ${entry.version}`);
  for (let i = 0;; i++) {
    if (i % 20 === 19) {
      await registry.deregister(id);
      say(`${id} 0`);
      entry = await registry.register(serviceInput(id, { version: `${round}.${i}` }));
    } else {
      entry = await registry.update(id, { version: `${round}.${i}`, labels: { i: `${i}` } });
    }
    say(`${id} ${entry.revision} ${entry.version}`);
  }
}

await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
