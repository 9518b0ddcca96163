/** What must be accepted: packages made by other programs, long names, odd but harmless headers. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { buildPackage } from "../../src/package/build.ts";
import { extractPackage } from "../../src/package/archive/extract.ts";
import { inspectPackage } from "../../src/package/read.ts";
import { run, withTempDir, writeTree } from "./sample_tree.ts";
import { gnuLong, pax, type RawEntry, soundEntries, sums, tar } from "./tar_writer.ts";
import { assertAccepted, handMadeTree } from "./sound_packages_fixture.ts";

for (const format of ["gnu", "ustar", "posix"]) {
  Deno.test(`inspectPackage: a package of GNU tar, ${format} format`, async () => {
    await withTempDir(async (dir) => {
      const tree = await handMadeTree(dir, format !== "ustar");
      const path = join(dir, "p.tar.gz");
      await run("tar", `--format=${format}`, "-czf", path, "-C", tree, ".");
      await assertAccepted(path, dir);
      const names = [...Deno.readDirSync(tree)].map((entry) => entry.name);
      await run("tar", `--format=${format}`, "-czf", path, "-C", tree, ...names);
      await assertAccepted(path, dir);
    });
  });
}

Deno.test("inspectPackage: two gzip members and tar's padding", async () => {
  await withTempDir(async (dir) => {
    const bytes = tar(soundEntries(), new Uint8Array(10_240));
    const path = join(dir, "p.tar.gz");
    const members = [bytes.subarray(0, 700), bytes.subarray(700)].map((part) => gzipSync(part));
    await Deno.writeFile(path, new Uint8Array([...members[0] ?? [], ...members[1] ?? []]));
    await assertAccepted(path, dir);
  });
});

Deno.test("inspectPackage: names and sizes of PAX and GNU headers", async () => {
  await withTempDir(async (dir) => {
    const files = { "a/pax": "1", "a/gnu": "22", "a/prefix": "333" };
    const entries: RawEntry[] = [
      ...soundEntries().slice(1),
      pax({ path: "a/pax", size: "1", mtime: "1.5", comment: "c" }),
      { name: "short", body: "1" },
      gnuLong("L", "a/gnu"),
      { name: "short", body: "22", magic: "ustar  \0" },
      { name: "prefix", prefix: "a", body: "333" },
      pax({ linkpath: "a/pax" }),
      { name: "link", flag: "2", link: "short" },
      pax({ comment: "made by git archive" }, "g"),
      { name: "d/", flag: "5", mode: 0o700 },
      { name: "nul-flag", flag: "\0", body: "" },
    ];
    const plain = Object.fromEntries(
      soundEntries().slice(1).map((entry) => [String(entry.name), String(entry.body)]),
    );
    const all = sums({ ...plain, ...files, "nul-flag": "" });
    const path = join(dir, "p.tar.gz");
    await Deno.writeFile(path, gzipSync(tar([...entries, { name: "SHA256SUMS", body: all }])));
    const summary = await extractPackage(path, join(dir, "out"));
    for (const [name, body] of Object.entries(files)) {
      assert.equal(await Deno.readTextFile(join(dir, "out", name)), body);
    }
    assert.equal(summary.entries.find((entry) => entry.path === "link")?.target, "a/pax");
    assert.equal(await Deno.readTextFile(join(dir, "out/link")), "1");
  });
});

Deno.test("extractPackage: refuses an existing target", async () => {
  await withTempDir(async (dir) => {
    const { path } = await buildPackage(await writeTree(join(dir, "tree")), { outDir: dir });
    await Deno.mkdir(join(dir, "there"));
    await Deno.symlink("tree", join(dir, "link"));
    for (const name of ["there", "link", "tree/manifest.yaml"]) {
      await assert.rejects(extractPackage(path, join(dir, name)), { code: "already_exists" });
    }
    const left = [...Deno.readDirSync(dir)].map((entry) => entry.name).sort();
    assert.deepEqual(left, ["hello-1.0.0.tar.gz", "link", "there", "tree"]);
  });
});

Deno.test("inspectPackage: not_found for what is not a file", async () => {
  await withTempDir(async (dir) => {
    await assert.rejects(inspectPackage(join(dir, "none")), { code: "not_found" });
    await assert.rejects(inspectPackage(dir), { code: "not_found" });
  });
});

Deno.test("inspectPackage: agrees with GNU tar", async () => {
  await withTempDir(async (dir) => {
    const { path } = await buildPackage("examples/hello-service", { outDir: dir });
    const summary = await inspectPackage(path);
    const listed = (await run("tar", "-tzf", path)).trimEnd().split("\n");
    const names = summary.entries.map((e) => e.type === "directory" ? `${e.path}/` : e.path);
    assert.deepEqual(names, listed);
    assert.equal(summary.sha256, (await run("sha256sum", path)).split(" ")[0]);
    const bytes = summary.entries.reduce((total, entry) => total + entry.size, 0);
    assert.equal(summary.unpackedBytes, bytes);
  });
});
