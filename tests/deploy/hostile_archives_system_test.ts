/**
 * Hostile archives that reached a host after all: refused there, with GNU tar and with BusyBox alone. Nothing is
 * written outside, nothing is left, and the version that ran still runs.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { DeployPackage, HostTarget } from "../../src/deploy/plan.ts";
import { needs } from "../helpers/require.ts";
import { startBusyBoxHost } from "../helpers/busybox_host.ts";
import {
  bomb,
  bombEntries,
  HOSTILE_ENTRIES,
  HOSTILE_FILES,
  millionFiles,
} from "../package/hostile_archives.ts";
import {
  gnuLong,
  packageWith,
  pax,
  type RawEntry,
  soundEntries,
  START,
  sums,
  tar,
} from "../package/tar_writer.ts";
import { Bench, connectTo, run } from "./support.ts";

const ENTRIES: Record<string, RawEntry[]> = {
  "an absolute path": [{ name: "/tmp/harness-evil", body: "x" }],
  "a .. at the start": [{ name: "../evil", body: "x" }],
  "a .. inside": [{ name: "a/../../evil", body: "x" }],
  "a .. directory": [{ name: "..", flag: "5" }],
  "a .. in the prefix": [{ name: "evil", prefix: "../..", body: "x" }],
  "a .. in a PAX name": [pax({ path: "../evil" }), { name: "fine" }],
  "a .. in a GNU name": [gnuLong("L", "../evil"), { name: "fine" }],
  "an absolute PAX name": [pax({ path: "/tmp/harness-evil" }), { name: "fine" }],
  "a newline in a name": [{ name: "a\nb", body: "x" }],
  "an escape sequence in a name": [{ name: "\x1b[2Ja", body: "x" }],
  "a symlink out": [{ name: "a", flag: "2", link: "../../etc" }],
  "an absolute symlink": [{ name: "a", flag: "2", link: "/etc/passwd" }],
  "a symlink to the parent": [{ name: "a", flag: "2", link: ".." }],
  "a symlink out by way of another": [
    { name: "deep/er/", flag: "5", mode: 0o755 },
    { name: "a", flag: "2", link: "deep/er" },
    { name: "b", flag: "2", link: "a/../../evil" },
  ],
  "a hard link out": [{ name: "a", flag: "1", link: "../../../../../etc/passwd" }],
  "an absolute hard link": [{ name: "a", flag: "1", link: "/etc/passwd" }],
  "a hard link inside": [{ name: "a", flag: "1", link: "manifest.yaml" }],
  "a link, then a file through it": [
    { name: "out", flag: "2", link: "../../.." },
    { name: "out/evil", body: "x" },
  ],
  "a file through an inner link": [
    { name: "lib", flag: "2", link: "scripts" },
    { name: "lib/start.sh", body: "evil" },
  ],
  "a character device": [{ name: "null", flag: "3" }],
  "a block device": [{ name: "sda", flag: "4" }],
  "a FIFO": [{ name: "pipe", flag: "6" }],
  "a setuid file": [{ name: "su", body: "x", mode: 0o4755 }],
  "a setgid file": [{ name: "su", body: "x", mode: 0o2755 }],
  "a duplicate name": [{ name: "scripts/start.sh", body: "evil", mode: 0o755 }],
  "a duplicate name with ./": [{ name: "./scripts/start.sh", body: "evil", mode: 0o755 }],
  "a file that is in no checksum": [{ name: "more", body: "x" }],
};

/** Of the reader's table: what tar programs read in different ways, and a host must not depend on its own. */
const ALSO = [
  "a NUL in a name",
  "a NUL in a PAX name",
  "a NUL in a GNU name",
  "names that differ in case",
  "directories that differ in case",
  "a negative size",
  "a huge size",
  "a size with a sign",
  "a PAX size with a sign",
  "two PAX sizes that swap entries",
  "a size over the limit",
  "garbage after the gzip",
  "zeros after the gzip",
  "entries behind the end",
  "an entry behind half an end",
  "a second gzip member with entries",
];

function archives(): Record<string, Buffer> {
  const cases: Record<string, Buffer> = {};
  for (const [name, extra] of Object.entries(ENTRIES)) cases[name] = packageWith(extra);
  const sound = gzipSync(tar(soundEntries()));
  cases["a truncated gzip"] = sound.subarray(0, sound.length - 30);
  cases["garbage"] = Buffer.from("this is not a package");
  cases["a tar that ends in an entry"] = gzipSync(tar(soundEntries()).subarray(0, 1400));
  for (const name of ALSO) {
    const entries = HOSTILE_ENTRIES[name]?.[1];
    const file = entries === undefined ? HOSTILE_FILES[name]?.[1]() : packageWith(entries);
    assert(file !== undefined, name);
    cases[name] = Buffer.from(file);
  }
  cases["10 GB in 10 MB"] = bomb(bombEntries());
  cases["10 GB of zeros behind the end"] = bomb(tar(soundEntries()));
  cases["a million empty files"] = millionFiles();
  const wrong = { "scripts/start.sh": `${START}# other\n` };
  cases["a wrong checksum"] = gzipSync(
    tar([{ name: "SHA256SUMS", body: sums(wrong) }, { name: "scripts/start.sh", body: START }]),
  );
  cases["no checksums"] = gzipSync(tar(soundEntries().slice(1)));
  return cases;
}

function packageOf(bytes: Uint8Array, like: DeployPackage): DeployPackage {
  return {
    open: () => Promise.resolve(new Blob([new Uint8Array(bytes)]).stream()),
    file: "hostile-2.0.0.tar.gz",
    sha256: createHash("sha256").update(bytes).digest("hex"),
    size: bytes.length,
    manifest: { ...like.manifest, version: "2.0.0" },
  };
}

/** Gives every archive to a host and looks at what became of it. */
async function refuseAll(
  bench: Bench,
  target: HostTarget,
  options: { seenRoot: string; outside: string },
): Promise<void> {
  const sound = await bench.makePackage();
  const first = await run(bench.plan(sound, { hosts: [target] }));
  assert.equal(first.host.outcome, "ok", JSON.stringify(first.host.error));
  const before = tree(options.outside);
  const accepted: string[] = [];
  for (const [name, bytes] of Object.entries(archives())) {
    const { host } = await run(
      bench.plan(packageOf(bytes, sound), { hosts: [target], force: true }),
    );
    if (host.outcome !== "failed" || host.error?.code !== "package_invalid") {
      accepted.push(`${name}: ${host.outcome} ${host.step} ${JSON.stringify(host.error)}`);
    }
    assert(["verify", "extract"].includes(host.step), `${name}: ${host.step}`);
    bench.assertClean("web", options.seenRoot);
    assert.equal(bench.state("web", options.seenRoot).active, "1.0.0", name);
  }
  assert.deepEqual(accepted, []);
  assert.deepEqual(tree(options.outside).filter((path) => !before.includes(path)), []);
  assert.throws(() => Deno.lstatSync("/tmp/harness-evil"));
}

/** Everything directly below a directory and below its directories: where a hostile entry would land. */
function tree(dir: string): string[] {
  return [...Deno.readDirSync(dir)].flatMap((entry) => {
    if (entry.name.startsWith("out-") || entry.name.startsWith("src-")) return [];
    const path = `${dir}/${entry.name}`;
    if (!entry.isDirectory || entry.name.startsWith("proc") || entry.name.startsWith("dev")) {
      return [path];
    }
    return [path, ...[...Deno.readDirSync(path)].map((inner) => `${path}/${inner.name}`)];
  }).filter((path) => !path.includes("/.harness/") && !path.includes("web-2.0.0"));
}

Deno.test("host: its tar refuses every hostile archive", async () => {
  await using bench = new Bench();
  await refuseAll(bench, bench.target(), { seenRoot: bench.root, outside: bench.dir });
  assert.deepEqual(bench.running(), ["1.0.0"]);
});

Deno.test({
  name: "host: BusyBox refuses every hostile archive",
  ignore: needs("busybox", "dropbear", "root"),
  async fn() {
    await using bench = new Bench();
    await using host = await startBusyBoxHost();
    const target: HostTarget = {
      label: "small",
      installRoot: "/opt",
      connect: connectTo(host),
    };
    await refuseAll(bench, target, { seenRoot: `${host.root}/opt`, outside: host.root });
  },
});
