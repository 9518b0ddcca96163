/** SIGKILL at random moments under 64-way writes: nothing acknowledged is lost, and it always starts again. */
import assert from "node:assert/strict";
import { load } from "../../src/storage/load.ts";
import { localDisk } from "../../src/storage/disk.ts";
import { FileStore } from "../../src/storage/file_store.ts";
import { Registry } from "../../src/registry/registry.ts";
import { say, withTempDir } from "./recording.ts";

const ROUNDS = Number(Deno.env.get("HARNESS_KILL_ROUNDS") ?? 200);
const CHILD = new URL("./kill_child.ts", import.meta.url);
/** Longest time that a child writes before it is killed. */
const MAX_LIFE_MS = 120;

/** What the child said of an entry last, and what it may be doing since. */
type Acknowledged = Map<string, { revision: number; version: string }>;

interface Life {
  lines: number;
  opened: string | null;
  warnings: string[];
}

function spawn(dir: string, round: number): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--quiet", "-A", CHILD.pathname, dir, String(round)],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

/**
 * Lets a child begin and kills it a random time after it has opened the state, or after its first change where
 * `changing`: on a busy machine that may take longer.
 */
async function live(
  child: Deno.ChildProcess,
  acknowledged: Acknowledged,
  changing: boolean,
): Promise<Life> {
  const go = child.stdin.getWriter();
  await go.write(new Uint8Array(1));
  await go.close();
  const life: Life = { lines: 0, opened: null, warnings: [] };
  let rest = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line.startsWith("! ")) life.warnings.push(line.slice(2));
        else if (line.startsWith("= ")) life.opened = line.slice(2);
        else {
          const [id, revision, version] = line.split(" ");
          assert.ok(id !== undefined && revision !== undefined);
          acknowledged.set(id, { revision: Number(revision), version: version ?? "" });
          life.lines++;
        }
      }
      if (changing ? life.lines > 0 : life.opened !== null) {
        timer ??= setTimeout(() => child.kill("SIGKILL"), Math.random() * MAX_LIFE_MS);
      }
    }
  } finally {
    clearTimeout(timer);
    await child.status;
  }
  return life;
}

/** A change that was acknowledged must be there, or a later one of the same writer in its place. */
function judge(
  acknowledged: Acknowledged,
  found: Map<string, { revision: number; version: string }>,
): string[] {
  const lost: string[] = [];
  for (const [id, { revision, version }] of acknowledged) {
    const entry = found.get(id);
    // Each writer has one change under way: what is found is the last acknowledged one or the one after it.
    const same = entry?.revision === revision && entry.version === version;
    const next = entry?.revision === revision + 1 || (entry === undefined && revision > 0) ||
      (revision === 0 && entry?.revision === 1);
    const gone = revision === 0 && entry === undefined;
    if (!same && !next && !gone) {
      lost.push(`${id}: ${version} r${revision}, found ${entry?.version} r${entry?.revision}`);
    }
    if (entry === undefined && revision > 0 && !mayBeGone(version)) lost.push(`${id}: gone`);
  }
  return lost;
}

/** A writer removes its entry after its 18th change only. */
function mayBeGone(version: string): boolean {
  return Number(version.split(".")[1]) % 20 === 18;
}

Deno.test(`FileStore: ${ROUNDS} SIGKILLs lose no write`, async () => {
  await withTempDir(async (dir) => {
    const acknowledged: Acknowledged = new Map();
    let changes = 0;
    let seq = 0;
    let epoch = "";
    let next = spawn(dir, 0);
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const child = next;
        // The next one starts up meanwhile: most of a round would be waiting for that.
        next = spawn(dir, round + 1);
        const life = await live(child, acknowledged, round % 4 !== 0);
        assert.ok(life.opened !== null, `round ${round}: it did not start again`);
        const [openedEpoch, openedSeq] = life.opened.split(" ");
        if (round > 0) {
          assert.equal(openedEpoch, epoch, `round ${round}: ${life.warnings.join("; ")}`);
        }
        assert.ok(Number(openedSeq) >= seq);
        epoch = openedEpoch ?? "";
        changes += life.lines;
        const loaded = await load(localDisk(), dir);
        const found = new Map([...loaded.services].map(([id, { entry }]) => [id, entry]));
        assert.deepEqual(judge(acknowledged, found), [], `round ${round}`);
        // What was found is the truth for the next life: the change under way may have come through.
        for (const id of acknowledged.keys()) {
          const { revision, version } = found.get(id) ?? { revision: 0, version: "" };
          acknowledged.set(id, { revision, version });
        }
        assert.equal(loaded.epoch, epoch, loaded.warnings.join("; "));
        seq = loaded.seq;
      }
    } finally {
      // One was started ahead and never got its turn.
      next.kill("SIGKILL");
      await Promise.all([next.status, next.stdin.close(), next.stdout.cancel()]);
    }
    await using registry = await Registry.open(new FileStore({ dir }));
    assert.equal(registry.seq, seq);
    assert.ok(changes > ROUNDS * 8, `only ${changes} changes`);
    say(`${ROUNDS} kills, ${changes} acknowledged changes, 0 lost`);
  });
});
