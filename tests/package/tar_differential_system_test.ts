/**
 * Damages tar files at random. What the reader then still accepts must be unpacked by GNU tar and by BusyBox
 * into exactly the tree that the reader saw: no other name, type, target or content.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { HarnessError } from "../../src/errors.ts";
import { entryPath, EntryTable } from "../../src/package/archive/entry_table.ts";
import { readTar } from "../../src/package/archive/tar_reader.ts";
import { needs } from "../helpers/require.ts";
import { run, withTempDir } from "./sample_tree.ts";
import { entryBlocks, gnuLong, pax, type RawEntry } from "./tar_writer.ts";

const BLOCK = 512;
/** Fixed, so that a run can be repeated; other seeds look at other archives. */
const SEED = Number(Deno.env.get("HARNESS_TEST_SEED") ?? 1);
const ROUNDS = Number(Deno.env.get("HARNESS_TEST_ROUNDS") ?? 5000);
/** Unpacked by real programs; the others are only read. */
const MAX_UNPACKED = ROUNDS / 50;

const ENTRIES: RawEntry[] = [
  { name: "./", flag: "5", mode: 0o755, magic: "ustar  \0" },
  { name: "./d/", flag: "5", mode: 0o755 },
  { name: "d/file", body: "content of d/file", mode: 0o755 },
  { name: "empty", body: "" },
  { name: "d/link", flag: "2", link: "file" },
  pax({ path: `d/${"p".repeat(120)}`, mtime: "1.5" }),
  { name: "short", body: "named by PAX" },
  gnuLong("L", `d/${"g".repeat(120)}`),
  { name: "short", body: "named by GNU", magic: "ustar  \0" },
  pax({ linkpath: "../empty" }),
  { name: "d/link2", flag: "2", link: "short" },
  { name: "file", prefix: "d/e", body: "x".repeat(700) },
];

type Tree = Record<string, string>;

/** A small seeded generator: a failure can be repeated with HARNESS_TEST_SEED. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function damage(random: (below: number) => number): Buffer {
  const blocks = ENTRIES.map(entryBlocks);
  const times = 1 + random(3);
  for (let i = 0; i < times; i++) {
    const entry = blocks[random(blocks.length)] ?? Buffer.alloc(0);
    const at = random(4) === 0 ? random(entry.length) : random(BLOCK);
    const interesting = [0, 0x20, 0x2e, 0x2f, 0x30, 0x31, 0x35, 0x37, 0x80, 0xff, random(256)];
    entry[at] = interesting[random(interesting.length)] ?? 0;
    entry.fill(0x20, 148, 156);
    const sum = entry.subarray(0, BLOCK).reduce((total, byte) => total + byte, 0);
    entry.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8, "latin1");
  }
  if (random(8) === 0) blocks.splice(random(blocks.length), 1);
  if (random(8) === 0) blocks.push(blocks[random(blocks.length)] ?? Buffer.alloc(0));
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

/** What the reader sees, or `null` when it refuses the archive. */
async function readTree(bytes: Uint8Array): Promise<Tree | null> {
  const tree: Tree = {};
  const table = new EntryTable();
  const source = async function* () {
    yield await Promise.resolve(bytes);
  };
  try {
    let current: string | null = null;
    for await (const event of readTar(source())) {
      if (event.kind === "data" && current !== null) {
        tree[current] += Buffer.from(event.chunk).toString("latin1");
      }
      if (event.kind !== "entry") continue;
      const { type, mode, size, target } = event;
      current = entryPath(event.name, type === "directory");
      if (current === "") {
        current = null;
        continue;
      }
      table.add({ path: current, type, mode, size, target, sha256: null });
      tree[current] = type === "symlink" ? `link ${target}` : `${type} `;
    }
    table.finish();
    // Directories that are only implied are there as well once it is unpacked.
    for (const path of Object.keys(tree)) {
      const parts = path.split("/");
      parts.slice(1).forEach((_, i) => tree[parts.slice(0, i + 1).join("/")] ??= "directory ");
    }
    return tree;
  } catch (error) {
    assert(error instanceof HarnessError && error.code === "package_invalid", String(error));
    return null;
  }
}

function diskTree(dir: string, prefix = ""): Tree {
  const tree: Tree = {};
  for (const entry of Deno.readDirSync(dir)) {
    const [path, file] = [prefix + entry.name, join(dir, entry.name)];
    if (entry.isSymlink) tree[path] = `link ${Deno.readLinkSync(file)}`;
    else if (entry.isDirectory) {
      Object.assign(tree, { [path]: "directory " }, diskTree(file, `${path}/`));
    } else tree[path] = `file ${Buffer.from(Deno.readFileSync(file)).toString("latin1")}`;
  }
  return tree;
}

Deno.test({
  name: `readTar: agrees with tar, ${ROUNDS} rounds, seed ${SEED}`,
  ignore: needs("busybox"),
  async fn() {
    const random = randomNumbers(SEED);
    const seen = new Set<string>();
    const accepted: Array<{ bytes: Buffer; tree: Tree }> = [];
    for (let round = 0; round < ROUNDS; round++) {
      const bytes = damage(random);
      const tree = await readTree(bytes);
      const key = JSON.stringify(tree);
      if (tree === null || seen.has(key)) continue;
      seen.add(key);
      accepted.push({ bytes, tree });
    }
    assert(accepted.length > 20, `only ${accepted.length} different trees were accepted`);
    const unpackers = [["tar"], ["busybox", "tar"]];
    for (const { bytes, tree } of accepted.slice(0, MAX_UNPACKED)) {
      await withTempDir(async (dir) => {
        const file = join(dir, "p.tar");
        await Deno.writeFile(file, bytes);
        for (const [command = "", ...args] of unpackers) {
          const out = join(dir, command);
          await Deno.mkdir(out);
          await run(command, ...args, "--no-same-owner", "-xf", file, "-C", out);
          await run("chmod", "-R", "u+rwX", out);
          assert.deepEqual(diskTree(out), tree, command);
        }
        assert.equal([...Deno.readDirSync(dir)].length, 1 + unpackers.length);
      });
    }
  },
});
