import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { HarnessError } from "../../src/errors.ts";
import { buildPackage, type BuildProgress } from "../../src/package/build.ts";
import { extractPackage } from "../../src/package/archive/extract.ts";
import { inspectPackage } from "../../src/package/read.ts";
import { SEED } from "../helpers/seed.ts";
import { run, withTempDir, writeTree } from "./sample_tree.ts";
import { MANIFEST } from "./tar_writer.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** The error that building `dir` gives, whose reason must be `reason`. */
async function buildError(dir: string, reason: string): Promise<HarnessError> {
  const outDir = join(dir, "..", "out-of-a-failed-build");
  const error = await buildPackage(dir, { outDir }).then(() => null, (error) => error);
  assert(error instanceof HarnessError, String(error));
  assert.equal(error.code, "package_invalid", error.message);
  assert.equal(error.details?.["reason"], reason, error.message);
  const left = await Array.fromAsync(Deno.readDir(outDir)).catch(() => []);
  assert.deepEqual(left, []);
  return error;
}

Deno.test("buildPackage: tar unpacks it and sha256sum accepts it", async () => {
  await withTempDir(async (dir) => {
    const tree = await writeTree(join(dir, "tree"), {
      "bin/app": "\x7fELF",
      "config/a b.conf": "x=1\n",
      "scripts/lib.sh": "# sourced\n",
    });
    await Deno.chmod(join(tree, "bin/app"), 0o700);
    const outDir = join(dir, "out/deep");
    const built = await buildPackage(tree, { outDir });
    assert.equal(built.path, join(outDir, "hello-1.0.0.tar.gz"));
    const bytes = await Deno.readFile(built.path);
    assert.equal(built.size, bytes.byteLength);
    assert.equal(built.sha256, sha256(bytes));
    assert.equal(built.manifest.name, "hello");
    assert.equal(built.unchanged, false);

    const listing = await run("tar", "--numeric-owner", "--full-time", "-tvzf", built.path);
    const when = "1980-01-01 00:00:00";
    assert.deepEqual(listing.trimEnd().split("\n").map((line) => line.replace(/ +/g, " ")), [
      `-rw-r--r-- 0/0 ${(await sumsOf(built.path)).length} ${when} SHA256SUMS`,
      `drwxr-xr-x 0/0 0 ${when} bin/`,
      `-rwxr-xr-x 0/0 4 ${when} bin/app`,
      `drwxr-xr-x 0/0 0 ${when} config/`,
      `-rw-r--r-- 0/0 4 ${when} config/a b.conf`,
      `-rw-r--r-- 0/0 ${MANIFEST.length} ${when} manifest.yaml`,
      `drwxr-xr-x 0/0 0 ${when} scripts/`,
      `-rwxr-xr-x 0/0 10 ${when} scripts/lib.sh`,
      `-rwxr-xr-x 0/0 24 ${when} scripts/start.sh`,
    ]);
    const unpacked = join(dir, "unpacked");
    await Deno.mkdir(unpacked);
    await run("tar", "-xzf", built.path, "-C", unpacked);
    await run("sh", "-c", `cd '${unpacked}' && sha256sum -c SHA256SUMS`);
  });
});

async function sumsOf(path: string): Promise<string> {
  return await run("tar", "-xOzf", path, "SHA256SUMS");
}

Deno.test("buildPackage: same tree, same bytes", async () => {
  await withTempDir(async (dir) => {
    const files: Record<string, string> = {};
    for (const name of ["b", "a", "a-b", "a.b", "Z", "é", "\u{1F600}", "ｚ"]) {
      files[`data/${name}/f`] = name;
      files[`data/${name}.txt`] = name;
    }
    const one = await writeTree(join(dir, "one"), files);
    const two = await writeTree(
      join(dir, "two"),
      Object.fromEntries(Object.entries(files).reverse()),
    );
    await Deno.utime(join(two, "manifest.yaml"), 1, 1);
    await Deno.chmod(join(two, "data"), 0o700);
    await Deno.chmod(join(two, "data/b.txt"), 0o600);
    await Deno.chmod(join(one, "scripts/start.sh"), 0o600);
    await Deno.writeTextFile(join(two, "SHA256SUMS"), "old\n");
    await Deno.mkdir(join(two, ".git"));
    const first = await buildPackage(one, { outDir: join(dir, "out1") });
    const second = await buildPackage(two, { outDir: join(dir, "out2") });
    assert.equal(second.sha256, first.sha256);
    assert.deepEqual(second.skipped, [".git"]);
    const bytes = await Deno.readFile(first.path);
    assert.deepEqual([...bytes.subarray(4, 8), bytes[9]], [0, 0, 0, 0, 3]);
    const names = (await run("tar", "--quoting-style=literal", "-tzf", first.path)).split("\n");
    assert.equal(names.length, first.entries + 1);
    await Deno.writeTextFile(join(dir, "names"), names.join("\n"));
    await run("sort", "-c", join(dir, "names"));
  });
});

Deno.test("buildPackage: refuses a version with other bytes", async () => {
  await withTempDir(async (dir) => {
    const tree = await writeTree(join(dir, "tree"));
    const first = await buildPackage(tree, { outDir: dir });
    assert.equal((await buildPackage(tree, { outDir: dir })).unchanged, true);
    await writeTree(tree, { "config/x": "1" });
    await assert.rejects(buildPackage(tree, { outDir: dir }), { code: "already_exists" });
    assert.equal((await inspectPackage(first.path)).sha256, first.sha256);
    const forced = await buildPackage(tree, { outDir: dir, force: true });
    assert.equal(forced.unchanged, false);
    assert.notEqual(forced.sha256, first.sha256);
    assert.equal((await inspectPackage(first.path)).sha256, forced.sha256);
    assert.deepEqual(
      [...Deno.readDirSync(dir)].map((e) => e.name).sort(),
      ["hello-1.0.0.tar.gz", "tree"],
    );
  });
});

Deno.test("buildPackage: replaces only the version in the manifest", async () => {
  await withTempDir(async (dir) => {
    const text = "# mine\nname: hello # n\nversion: '1.0.0' # v\nx-a:   1\n";
    const tree = await writeTree(join(dir, "tree"), { "manifest.yaml": text });
    const built = await buildPackage(tree, { outDir: dir, version: "2.0.0-rc.1+b" });
    assert.equal(built.path, join(dir, "hello-2.0.0-rc.1_b.tar.gz"));
    assert.equal((await inspectPackage(built.path)).manifest.version, "2.0.0-rc.1+b");
    const packed = await run("tar", "-xOzf", built.path, "manifest.yaml");
    assert.equal(packed, text.replace("'1.0.0'", "2.0.0-rc.1+b"));
    assert.equal(await Deno.readTextFile(join(tree, "manifest.yaml")), text);
    await assert.rejects(
      buildPackage(tree, { outDir: dir, version: "../2" }),
      /version must be a SemVer version .*; got "\.\.\/2"/,
    );
  });
});

Deno.test("buildPackage: leaves out its own output", async () => {
  await withTempDir(async (dir) => {
    const tree = await writeTree(join(dir, "tree"));
    const first = await buildPackage(tree, { outDir: tree });
    await Deno.writeTextFile(`${first.path}.minisig`, "x");
    const again = await buildPackage(tree, { outDir: tree });
    assert.equal(again.unchanged, true);
    assert.deepEqual(again.skipped, ["hello-1.0.0.tar.gz", "hello-1.0.0.tar.gz.minisig"]);
    await Deno.remove(first.path);
    await Deno.remove(`${first.path}.minisig`);
    const dist = await buildPackage(tree, { outDir: join(tree, "dist") });
    assert.equal((await buildPackage(tree, { outDir: join(tree, "dist") })).unchanged, true);
    assert.equal(dist.sha256, first.sha256);
  });
});

Deno.test("buildPackage: progress ends at the total", async () => {
  await withTempDir(async (dir) => {
    const tree = await writeTree(join(dir, "tree"), { "bin/data": "x".repeat(300_000) });
    const seen: BuildProgress[] = [];
    await buildPackage(tree, { outDir: dir, onProgress: (progress) => seen.push(progress) });
    for (const phase of ["hash", "pack"] as const) {
      const mine = seen.filter((progress) => progress.phase === phase);
      assert.deepEqual(
        mine.map((p) => p.bytes),
        mine.map((p) => p.bytes).toSorted((a, b) => a - b),
      );
      assert.equal(mine.at(-1)?.bytes, mine.at(-1)?.totalBytes);
    }
  });
});

Deno.test("buildPackage: leaves nothing behind when aborted", async () => {
  await withTempDir(async (dir) => {
    const tree = await writeTree(join(dir, "tree"), {
      "bin/data": crypto.getRandomValues(new Uint8Array(60_000)),
    });
    for (const phase of ["hash", "pack"]) {
      const stop = new AbortController();
      const reason = new Error("enough");
      const outDir = join(dir, "out");
      const onProgress = (p: BuildProgress) => p.phase === phase && stop.abort(reason);
      await assert.rejects(buildPackage(tree, { outDir, onProgress, signal: stop.signal }), reason);
      assert.deepEqual(await Array.fromAsync(Deno.readDir(outDir)).catch(() => []), []);
    }
  });
});

Deno.test("buildPackage: notices a file that changes meanwhile", async () => {
  await withTempDir(async (dir) => {
    const tree = await writeTree(join(dir, "tree"), { "bin/data": "1".repeat(1000) });
    for (const body of ["2".repeat(1000), "1", "1".repeat(5000)]) {
      await writeTree(tree, { "bin/data": "1".repeat(1000) });
      const onProgress = (progress: BuildProgress) => {
        if (progress.phase === "hash" && progress.path === "scripts/start.sh") {
          Deno.writeTextFileSync(join(tree, "bin/data"), body);
        }
      };
      const outDir = join(dir, "out");
      await assert.rejects(
        buildPackage(tree, { outDir, onProgress }),
        (error: HarnessError) => error.details?.["reason"] === "changed_while_reading",
      );
      assert.deepEqual([...Deno.readDirSync(outDir)], []);
    }
  });
});

Deno.test("buildPackage: reads the same from a slow disk", async () => {
  await withTempDir(async (dir) => {
    const files = Array.from({ length: 100 }, (_, i) => [`data/${i}`, "x".repeat(i * 200)]);
    files.push(["data/large", "x".repeat(300_000)]);
    const tree = await writeTree(join(dir, "tree"), Object.fromEntries(files));
    const { sha256 } = await buildPackage(tree, { outDir: dir });
    const { now } = performance;
    let ms = 0;
    using opened = await countOpened(tree);
    performance.now = () => ms += 5; // each read seems to take as long
    try {
      assert.equal((await buildPackage(tree, { outDir: join(dir, "slow") })).sha256, sha256);
    } finally {
      performance.now = now;
    }
    assert(opened.count > 150, `of twice 102 files, ${opened.count} were not read synchronously`);
    assert(opened.most > 10, `${opened.most} were open at once`);
  });
});

/** Counts the files that are opened asynchronously: how many, and how many at once. */
async function countOpened(directory: string) {
  await using any = await open(directory);
  const handles = Object.getPrototypeOf(any);
  const { stat, close } = handles;
  const seen = { count: 0, most: 0 };
  let now = 0;
  handles.stat = function (...args: unknown[]) {
    seen.count++;
    seen.most = Math.max(seen.most, ++now);
    return stat.apply(this, args);
  };
  handles.close = function (...args: unknown[]) {
    now--;
    return close.apply(this, args);
  };
  return Object.assign(seen, { [Symbol.dispose]: () => Object.assign(handles, { stat, close }) });
}

Deno.test("buildPackage: timers have their turns", async () => {
  await withTempDir(async (dir) => {
    const files = Array.from({ length: 300 }, (_, i) => [`data/${i}`, "x"]);
    const tree = await writeTree(join(dir, "tree"), Object.fromEntries(files));
    const fired = { hash: false, pack: false };
    const seen = { hash: 0, pack: 0 };
    const inBetween = { hash: false, pack: false };
    const onProgress = ({ phase }: BuildProgress) => {
      if (seen[phase]++ === 0) setTimeout(() => fired[phase] = true, 0);
      inBetween[phase] ||= fired[phase];
    };
    const { now } = performance;
    let ms = 0;
    performance.now = () => ms += 0.4; // none of the reads takes long: these give turns, too
    try {
      await buildPackage(tree, { outDir: dir, onProgress });
    } finally {
      performance.now = now;
    }
    assert.deepEqual(inBetween, { hash: true, pack: true });
  });
});

Deno.test("buildPackage: names what is missing", async () => {
  await withTempDir(async (dir) => {
    await assert.rejects(buildPackage(join(dir, "nowhere"), { outDir: dir }), {
      code: "not_found",
    });
    const bad = async (name: string, files: Record<string, string | null>, reason: string) =>
      (await buildError(await writeTree(join(dir, name), files), reason)).message;
    assert.match(await bad("1", { "manifest.yaml": null }, "manifest_missing"), /manifest\.yaml/);
    assert.match(await bad("2", { "scripts/start.sh": null }, "script_missing"), /scripts\/start/);
    assert.match(
      await bad("3", { "manifest.yaml": `${MANIFEST}foo: 1\n` }, "manifest"),
      /manifest\.yaml:4:1: unknown key "foo"/,
    );
    assert.match(
      await bad("4", { "scripts/stop.sh": "#!/bin/sh\r\nexit\r\n" }, "script_line_ends"),
      /scripts\/stop\.sh.*CRLF.*line 1/,
    );
    assert.match(
      await bad("5", { "scripts/start.sh": "echo\n" }, "script_shebang"),
      /must begin with a line such as #!\/bin\/sh/,
    );
    assert.match(
      await bad("6", { "scripts/start.sh": "\ufeff#!/bin/sh\n" }, "script_shebang"),
      /byte order mark/,
    );
    await bad("7", { "Config/a": "", "config/b": "" }, "case_collision");
    await bad("8", { "bin/a\nb": "" }, "bad_path");
    await bad(
      "9",
      { "manifest.yaml": `${MANIFEST}health: {script: bin/check}\n` },
      "script_missing",
    );
    const health = `${MANIFEST}health: {script: bin/check}\n`;
    assert.match(
      await bad("10", { "manifest.yaml": health, "scripts/start.sh": null }, "script_missing"),
      /scripts\/start\.sh is missing: .+; bin\/check is missing: /,
    );
  });
});

Deno.test("buildPackage: makes the health script executable", async () => {
  await withTempDir(async (dir) => {
    const tree = await writeTree(join(dir, "tree"), {
      "manifest.yaml": `${MANIFEST}health: {script: bin/check}\n`,
      "bin/check": "#!/bin/sh\n",
    });
    const { path } = await buildPackage(tree, { outDir: dir });
    const { entries } = await inspectPackage(path);
    assert.equal(entries.find((entry) => entry.path === "bin/check")?.mode, 0o755);
  });
});

Deno.test("buildPackage: packs only links inside the tree", async () => {
  await withTempDir(async (dir) => {
    const tree = await writeTree(join(dir, "tree"), { "lib/v1/a": "1" });
    await Deno.symlink("v1", join(tree, "lib/current"));
    await Deno.symlink("../lib/current/a", join(tree, "scripts/a"));
    const { path } = await buildPackage(tree, { outDir: dir });
    await extractPackage(path, join(dir, "unpacked"));
    assert.equal(await Deno.readLink(join(dir, "unpacked/lib/current")), "v1");
    assert.equal(await Deno.readTextFile(join(dir, "unpacked/scripts/a")), "1");
    const links = {
      "../..": "link_escapes",
      "/etc/passwd": "link_escapes",
      "lib/current/../../../x": "link_escapes",
      "self": "link_escapes",
      "lib/none": "file_missing",
    };
    for (const [target, reason] of Object.entries(links)) {
      await Deno.symlink(target, join(tree, "self"));
      await buildError(tree, reason);
      await Deno.remove(join(tree, "self"));
    }
  });
});

Deno.test("buildPackage: refuses a FIFO", async () => {
  await withTempDir(async (dir) => {
    const tree = await writeTree(join(dir, "tree"));
    await run("mkfifo", join(tree, "pipe"));
    await buildError(tree, "fifo");
  });
});

Deno.test("package: build, inspect and extract keep any tree", async () => {
  const part = fc.string({ unit: "grapheme", minLength: 1, maxLength: 80 })
    .filter((s) => !/[\p{Cc}\\/]/u.test(s) && !/^\.+$/.test(s) && !/^[A-Za-z]:/.test(s))
    .filter((s) => s.isWellFormed() && new TextEncoder().encode(s).length <= 200);
  const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((p) => ["data", ...p].join("/"));
  const body = fc.uint8Array({ maxLength: 2000 });
  await fc.assert(
    fc.asyncProperty(fc.dictionary(path, body, { maxKeys: 8 }), async (files) => {
      // Two names that are one without case, or a file that is a directory too, are refused elsewhere.
      const keys = Object.keys(files).map((key) => key.normalize("NFC").toLowerCase());
      const prefixes = keys.flatMap((key) =>
        key.split("/").map((_, i, parts) => parts.slice(0, i + 1).join("/"))
      );
      fc.pre(new Set(keys).size === keys.length);
      fc.pre(keys.every((key) => prefixes.filter((prefix) => prefix === key).length === 1));
      fc.pre(new Set(Object.keys(files).flatMap(dirs)).size === new Set(keys.flatMap(dirs)).size);
      await withTempDir(async (dir) => {
        const tree = await writeTree(join(dir, "tree"), files);
        const built = await buildPackage(tree, { outDir: dir });
        const summary = await extractPackage(built.path, join(dir, "unpacked"));
        assert.equal(summary.sha256, built.sha256);
        for (const [path, body] of Object.entries(files)) {
          assert.deepEqual(await Deno.readFile(join(dir, "unpacked", path)), body);
        }
        await run("tar", "-tzf", built.path);
      });
    }),
    { seed: SEED, numRuns: 60 },
  );
});

function dirs(path: string): string[] {
  return path.split("/").slice(0, -1).map((_, i, parts) => parts.slice(0, i + 1).join("/"));
}
