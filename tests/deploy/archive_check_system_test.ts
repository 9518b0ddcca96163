/**
 * What a host looks at before it unpacks anything, given every archive of the table that the package reader refuses:
 * with the system's own tools, and with nothing but BusyBox.
 */
import { needs } from "../helpers/require.ts";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { verifyCommand } from "../../src/deploy/host/release/commands.ts";
import { hostLayout } from "../../src/deploy/host/layout.ts";
import { localExecutor } from "../../src/executor/local.ts";
import { inspectPackage } from "../../src/package/read.ts";
import {
  bomb,
  bombEntries,
  HOSTILE_ENTRIES,
  HOSTILE_FILES,
  millionFiles,
} from "../package/hostile_archives.ts";
import { packageWith, pax, soundEntries, tar } from "../package/tar_writer.ts";
import { runProgram } from "../helpers/sshd.ts";

/** Seen only in what was unpacked into staging: where links end, what the checksums say. */
const SEEN_LATER = new Set([
  "a name that is not UTF-8",
  "a path part over 255 bytes",
  "a symlink out",
  "a symlink out by way of another",
  "a symlink out in a PAX header",
  "a symlink out in a GNU header",
  "a file that is not in SHA256SUMS",
]);

/** Not looked for on a host: it does no harm there, or starting the service says it. */
const NOT_SEEN = new Set(["a symlink in a circle", "names that differ in Unicode form"]);

/** Whole files that are no sound tar.gz; what else is wrong with the others shows when they are unpacked. */
const REASONS_SEEN = ["truncated", "bad_gzip", "trailing_data"];

/** A directory like a host's in the middle of a deployment, and what verifies an archive there. */
class Bench implements AsyncDisposable {
  readonly dir = Deno.makeTempDirSync({ prefix: "harness-archive-" });
  readonly #executor = localExecutor();
  readonly #place = { layout: hostLayout(this.dir, "web"), token: "t" };
  readonly #path: string | null;

  constructor(path: string | null) {
    this.#path = path;
    Deno.mkdirSync(`${this.dir}/.harness/cache`, { recursive: true });
    Deno.mkdirSync(`${this.#place.layout.base}/staging/t`, { recursive: true });
    Deno.writeTextFileSync(`${this.#place.layout.base}/lock`, "t|boot|1|1|d|s|o\n");
  }

  /** The system's tools; or a directory with BusyBox under each of its names, and its shell. */
  static async open(kind: "system" | "busybox"): Promise<Bench> {
    if (kind === "system") return new Bench(null);
    const dir = await Deno.makeTempDir({ prefix: "harness-applets-" });
    const busybox = (await runProgram("sh", ["-c", "command -v busybox"])).trim();
    for (const applet of (await runProgram(busybox, ["--list"])).trim().split("\n")) {
      await Deno.symlink(busybox, `${dir}/${applet}`);
    }
    return new Bench(dir);
  }

  /** Why the archive is refused, or `null`. */
  async refusal(bytes: Uint8Array): Promise<string | null> {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    await Deno.writeFile(`${this.#place.layout.base}/staging/t/package`, bytes);
    await Deno.remove(`${this.#place.layout.base}/staging/t/more`).catch(() => {});
    const verify = verifyCommand(this.#place, {
      ...{ sha256, cached: false, inspected: false },
      size: bytes.length,
    });
    assert("script" in verify);
    const { script, args = [] } = verify;
    const path = this.#path;
    const { stdout, stderr, exitCode } = path === null
      ? await this.#executor.run({ script, args })
      : await this.#executor.run({ argv: [`${path}/sh`, "-c", script, "sh", ...args] }, {
        env: { PATH: path },
      });
    const refused = /^@refused archive (.*)$/m.exec(stdout);
    if (refused?.[1] !== undefined) return refused[1];
    assert.equal(exitCode, 0, `${stdout}${stderr}`);
    assert.equal((await Deno.stat(`${this.dir}/.harness/cache/${sha256}`)).size, bytes.length);
    return null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#executor[Symbol.asyncDispose]();
    if (this.#path !== null) await Deno.remove(this.#path, { recursive: true });
    await Deno.remove(this.dir, { recursive: true });
  }
}

/** What verifyCommand() does with the tools of one kind of host. */
function testArchiveCheck(kind: "system" | "busybox", ignore: boolean): void {
  Deno.test({
    name: `verify: refuses every hostile archive (${kind})`,
    ignore,
    async fn() {
      await using bench = await Bench.open(kind);
      const accepted: string[] = [];
      const sure = Object.entries(HOSTILE_ENTRIES).filter(([what]) => !NOT_SEEN.has(what));
      for (const [what, [, entries]] of sure) {
        const refusal = await bench.refusal(packageWith(entries));
        if ((refusal === null) !== SEEN_LATER.has(what)) accepted.push(`${what}: ${refusal}`);
        // deno-lint-ignore no-control-regex
        assert.doesNotMatch(refusal ?? "", /[\0-\x1f]/, what);
      }
      for (const [what, [reason, make]] of Object.entries(HOSTILE_FILES)) {
        if (!REASONS_SEEN.includes(reason)) continue;
        if (await bench.refusal(make()) === null) accepted.push(what);
      }
      assert.deepEqual(accepted, []);
    },
  });

  Deno.test({
    name: `verify: takes a PAX size only if tar does (${kind})`,
    ignore,
    async fn() {
      await using bench = await Bench.open(kind);
      const sized = (size: number) =>
        bench.refusal(packageWith([pax({ size: String(size) }), { name: "a", size: 0 }]));
      const contradicts = "a PAX size that is not that of its header: a";
      assert.equal(await sized(8 * 1024 ** 3 - 1), contradicts);
      // A header has no digits for it, so it is believed, and too much for this package.
      const over = await sized(8 * 1024 ** 3);
      if (kind === "busybox") assert.equal(over, contradicts);
      else assert.match(over ?? "", /^it unpacks to more than \d+ bytes$/);
      const same = [pax({ size: "1" }), { name: "a", body: "1" }];
      assert.equal(await bench.refusal(packageWith(same)), null);
    },
  });

  Deno.test({
    name: `verify: refuses what unpacks to too much (${kind})`,
    ignore,
    async fn() {
      await using bench = await Bench.open(kind);
      const inFile = await bench.refusal(bomb(bombEntries()));
      assert.match(inFile ?? "", /^it unpacks to more than \d+ bytes/);
      const behind = await bench.refusal(bomb(tar(soundEntries())));
      assert.equal(behind, "it unpacks to more than 67108864 bytes of zeros behind its end");
      assert.equal(await bench.refusal(millionFiles()), "more than 100000 entries");
    },
  });

  Deno.test({
    name: `verify: takes what plain tar makes (${kind})`,
    ignore,
    async fn() {
      await using bench = await Bench.open(kind);
      const tree = `${bench.dir}/tree`;
      const deep = `${tree}/${"directory-of-a-long-name/".repeat(7)}`;
      await Deno.mkdir(deep, { recursive: true });
      await Deno.mkdir(`${tree}/scripts`);
      const text = {
        "manifest.yaml": "",
        "scripts/start.sh": "",
        "a b'c\u00e9\u4e2d": "",
        "\u{1f600}": "",
      };
      for (const [name, body] of Object.entries(text)) {
        await Deno.writeTextFile(`${tree}/${name}`, body);
      }
      await Deno.writeFile(`${deep}/noise`, crypto.getRandomValues(new Uint8Array(60_001)));
      await Deno.writeFile(`${tree}/zeros`, new Uint8Array(1024 * 512));
      await Deno.writeTextFile(`${tree}/lines`, "\u0001\n\u0002\n".repeat(3000));
      await Deno.symlink(`${"directory-of-a-long-name/".repeat(7)}noise`, `${tree}/link`);
      for (const format of ["gnu", "ustar", "posix"]) {
        for (const from of [".", "manifest.yaml scripts link zeros lines"]) {
          const packed = `${bench.dir}/${format}.tar.gz`;
          const words = ["-czf", packed, `--format=${format}`, "--owner=0", "-C", tree];
          // A ustar header has no room for the target of the long link.
          if (format === "ustar") words.push("--exclude=link");
          await runProgram("tar", [...words, ...from.split(" ")]);
          assert.equal(await bench.refusal(await Deno.readFile(packed)), null, `${format} ${from}`);
        }
      }
      if (kind === "busybox") {
        const packed = `${bench.dir}/busybox.tar.gz`;
        await runProgram("busybox", ["tar", "-czf", packed, "-C", tree, "."]);
        assert.equal(await bench.refusal(await Deno.readFile(packed)), null, "made by BusyBox");
      }
      const parts = [tar(soundEntries()).subarray(0, 700), tar(soundEntries()).subarray(700)];
      const members = Buffer.concat(parts.map((part) => gzipSync(part)));
      assert.equal(await bench.refusal(members), null, "two gzip members");
      await Deno.writeFile(`${bench.dir}/members.tar.gz`, members);
      await inspectPackage(`${bench.dir}/members.tar.gz`);
    },
  });
}

testArchiveCheck("system", false);
testArchiveCheck("busybox", needs("busybox"));
