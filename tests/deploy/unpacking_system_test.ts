/** How a package that was inspected gets from stdin to its directory, with the tools of each kind of host. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import {
  extractCommand,
  uploadCommand,
  verifyCommand,
} from "../../src/deploy/host/release/commands.ts";
import { hostLayout } from "../../src/deploy/host/layout.ts";
import type { Command, Executor, RunResult } from "../../src/executor/executor.ts";
import { localExecutor } from "../../src/executor/local.ts";
import { within } from "../helpers/raw_client.ts";
import { needs } from "../helpers/require.ts";
import { removeTree } from "../helpers/remove_tree.ts";
import { runProgram } from "../helpers/sshd.ts";
import { tar } from "../package/tar_writer.ts";
import { Bench as Deployments, run } from "./support.ts";

/** Over the size from which openssl hashes. */
const LARGE_BYTES = 17 * 1024 * 1024;

function sum(bytes: string | Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function random(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  return bytes;
}

/** A package with one file of so many bytes; `wrong` is what its SHA256SUMS says instead of the truth. */
function packageWith(bytes: number, wrong?: string): Uint8Array<ArrayBuffer> {
  const data = random(bytes);
  const files = [{ name: "lib/a name", body: data }, { name: "-n", body: "flag?" }];
  const sums = files.map(({ name, body }) => `${wrong ?? sum(body)}  ${name}\n`).join("");
  return new Uint8Array(
    gzipSync(tar([...files, { name: "SHA256SUMS", body: sums }]), { level: 1 }),
  );
}

/** The same with a link and an empty directory, in a gzip file of two members: the second begins in the middle of a file. */
function packageOfTwo(): Uint8Array<ArrayBuffer> {
  const data = random(LARGE_BYTES);
  const unpacked = tar([
    { name: "lib/data", body: data },
    { name: "SHA256SUMS", body: `${sum(data)}  lib/data\n` },
    { name: "link", flag: "2", link: "lib/data" },
    { name: "logs/", flag: "5" },
  ]);
  const half = 1_000_000;
  const members = [unpacked.subarray(0, half), unpacked.subarray(half), new Uint8Array()];
  return new Uint8Array(Buffer.concat(members.map((part) => gzipSync(part, { level: 1 }))));
}

/** A directory like a host's in the middle of a deployment. */
class Bench implements AsyncDisposable {
  readonly dir = Deno.makeTempDirSync({ prefix: "harness-unpack-" });
  readonly place = { layout: hostLayout(this.dir, "web"), token: "t" };
  readonly #executor: Executor;
  readonly #tools: string;

  constructor(tools: string, executor = localExecutor()) {
    this.#tools = tools;
    this.#executor = executor;
    Deno.mkdirSync(`${this.dir}/.harness/cache`, { recursive: true });
    Deno.mkdirSync(`${this.place.layout.base}/staging/t`, { recursive: true });
    Deno.writeTextFileSync(`${this.place.layout.base}/lock`, "t|boot|1|1|d|s|o\n");
  }

  async #run(command: Command, stdin: Uint8Array | string): Promise<RunResult> {
    assert("script" in command);
    const { script, args = [] } = command;
    return await this.#executor.run(
      { argv: [`${this.#tools}/sh`, "-c", script, "sh", ...args] },
      { stdin, env: { PATH: this.#tools } },
    );
  }

  /** Brings the package there; returns the first result that is none of success. */
  async install(bytes: Uint8Array, claimed = sum(bytes)): Promise<RunResult | null> {
    const sent = { size: bytes.length, inspected: true };
    const release = { id: "1.0.0", dir: `${this.dir}/web-1.0.0` };
    const steps: Array<[Command, Uint8Array | string]> = [
      [uploadCommand(this.place, sent), bytes],
      [verifyCommand(this.place, { ...sent, sha256: claimed, cached: false }), ""],
      [extractCommand(this.place, release, { size: sent.size, sha256: claimed, bytes: 3 }), "{}\n"],
    ];
    for (const [command, stdin] of steps) {
      const result = await this.#run(command, stdin);
      if (result.exitCode !== 0) return result;
    }
    return null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#executor[Symbol.asyncDispose]();
    await removeTree(this.dir);
  }
}

/** As sshd does, it waits until nothing holds the outputs of a command any more, in the background either. */
function untilItsEnd(): Executor {
  const local = localExecutor();
  return {
    host: local.host,
    async run(command, { stdin, env = {} } = {}) {
      assert("argv" in command && !(stdin instanceof ReadableStream));
      const [program, ...args] = command.argv;
      const child = new Deno.Command(program, {
        args,
        env,
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const writer = child.stdin.getWriter();
      const bytes = typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin;
      const writing = writer.write(bytes ?? new Uint8Array()).then(() => writer.close())
        .catch(() => {}); // it was refused before it was read
      const { code, stdout, stderr } = await child.output();
      await writing;
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      const outputs = { stdout: text(stdout), stderr: text(stderr) };
      return { exitCode: code, signal: null, ...outputs, truncated: false, durationMs: 0 };
    },
    [Symbol.asyncDispose]: () => local[Symbol.asyncDispose](),
  };
}

/** A directory with the tools of a host, without some; a pigz is then one that does not run. */
async function toolsOf(kind: "system" | "busybox", without: readonly string[]): Promise<string> {
  const dir = await Deno.makeTempDir({ prefix: "harness-tools-" });
  const names = (await runProgram("busybox", ["--list"])).trim().split("\n");
  const others = ["openssl", "pigz", "python3"];
  for (const name of [...names, ...others]) {
    // What is called python3 may be a script that finds it by other programs.
    const found = await runProgram("sh", [
      "-c",
      '[ "$1" != python3 ] || exec python3 -c "import sys; print(sys.executable)"; command -v "$1" || true',
      ...["sh", name],
    ]);
    const path = kind === "busybox" && !others.includes(name) ? "/bin/busybox" : found.trim();
    if (path.startsWith("/") && !without.includes(name)) await Deno.symlink(path, `${dir}/${name}`);
  }
  if (!without.includes("pigz")) return dir;
  await Deno.writeTextFile(`${dir}/pigz`, "#!/nonexistent\n", { mode: 0o755 });
  return dir;
}

for (const kind of ["system", "busybox"] as const) {
  Deno.test({
    name: `unpacking: while it arrives, and in turn (${kind})`,
    ignore: needs("busybox"),
    async fn() {
      for (
        const without of [
          [],
          ["mkfifo"],
          ["tee"],
          ["openssl", "pigz"],
          ["python3"],
          ["pigz", "python3"],
          ["mkfifo", "openssl", "xargs"],
        ]
      ) {
        const tools = await toolsOf(kind, without);
        await using bench = new Bench(tools);
        const bytes = packageWith(LARGE_BYTES);
        const failed = await bench.install(bytes);
        assert.equal(failed, null, `without ${without}: ${JSON.stringify(failed)}`);
        const size = (path: string) => Deno.statSync(`${bench.dir}/${path}`).size;
        assert.equal(size("web-1.0.0/lib/a name"), LARGE_BYTES);
        assert.equal(size(`.harness/cache/${sum(bytes)}`), bytes.length);
        await removeTree(tools);
      }
    },
  });

  Deno.test({
    name: `unpacking: every member of a gzip file (${kind})`,
    ignore: needs("busybox"),
    async fn() {
      const bytes = packageOfTwo();
      for (const without of [[], ["python3"], ["pigz", "python3"]]) {
        const tools = await toolsOf(kind, without);
        await using bench = new Bench(tools);
        assert.equal(await bench.install(bytes), null, `without ${without}`);
        assert.equal(Deno.readLinkSync(`${bench.dir}/web-1.0.0/link`), "lib/data");
        assert.ok(Deno.statSync(`${bench.dir}/web-1.0.0/logs`).isDirectory);
        await removeTree(tools);
      }
    },
  });

  Deno.test({
    name: `unpacking: without a python3 that prints (${kind})`,
    ignore: needs("busybox"),
    async fn() {
      const tools = await toolsOf(kind, []);
      const python = Deno.readLinkSync(`${tools}/python3`);
      await Deno.remove(`${tools}/python3`);
      const program = `#!/bin/sh\necho hello\nexec ${python} "$@"\n`;
      await Deno.writeTextFile(`${tools}/python3`, program, { mode: 0o755 });
      await using bench = new Bench(tools);
      assert.equal(await bench.install(packageWith(LARGE_BYTES)), null);
      await removeTree(tools);
    },
  });

  Deno.test({
    name: `unpacking: a refusal does not wait for the disk (${kind})`,
    ignore: needs("busybox"),
    async fn() {
      const tools = await toolsOf(kind, ["openssl"]);
      await using bench = new Bench(tools, untilItsEnd());
      const [begun, go] = [`${bench.dir}/begun`, `${bench.dir}/go`];
      const replace = async (name: string, text: string) => {
        const path = Deno.readLinkSync(`${tools}/${name}`);
        const program = path.endsWith("/busybox") ? `${path} ${name}` : path;
        await Deno.remove(`${tools}/${name}`);
        const script = `#!${tools}/sh\n${text.replace("$program", program)}`;
        await Deno.writeTextFile(`${tools}/${name}`, script, { mode: 0o755 });
      };
      // The sync of all files takes until the test lets it end, and the refusal comes when it has begun.
      // Where the test has ended, its directory is gone, and they end too.
      const wait = (path: string) =>
        `until [ -e '${path}' ] || [ ! -d '${bench.dir}' ]; do sleep 0.05; done\n`;
      await replace("sync", `[ "$1" != -f ] || { : > '${begun}'; ${wait(go)}}\n`);
      await replace("sha256sum", `[ "$1" != -c ] || ${wait(begun)}exec $program "$@"\n`);
      try {
        const refused = bench.install(packageWith(LARGE_BYTES, "0".repeat(64)));
        const result = await within(120_000, refused, "the refusal beside the sync");
        assert.match(result?.stdout ?? "", /^@refused sums lib\/a name/m);
      } finally {
        await Deno.writeTextFile(go, "");
      }
      await removeTree(tools);
    },
  });

  Deno.test({
    name: `unpacking: what is damaged is refused (${kind})`,
    ignore: needs("busybox"),
    async fn() {
      const sound = packageWith(100_000);
      const large = packageWith(LARGE_BYTES);
      const cases: Array<[Uint8Array, RegExp, string?]> = [
        [sound.subarray(0, 50_000), /^@refused digest it arrived as sha256/m, sum(sound)],
        [sound.subarray(0, 50_000), /^@refused extract +\S/m],
        [new Uint8Array(gzipSync(random(9000))), /^@refused extract +\S/m],
        [
          new Uint8Array(gzipSync(tar([{ name: "a", body: "b", mode: 0o4755 }]))),
          /a setuid or setgid entry/,
        ],
        [packageWith(10, "0".repeat(64)), /^@refused sums lib\/a name/m],
        [packageWith(LARGE_BYTES, "0".repeat(64)), /^@refused sums lib\/a name/m],
        [large.subarray(0, -9), /^@refused digest it arrived as sha256/m, sum(large)],
        [large.subarray(0, -9), /^@refused extract +\S/m],
        [new Uint8Array(gzipSync(random(LARGE_BYTES))), /^@refused extract +\S/m],
        [random(LARGE_BYTES), /^@refused extract +\S/m],
      ];
      for (const without of [[], ["python3"]]) {
        const tools = await toolsOf(kind, without);
        for (const [bytes, refusal, claimed] of cases) {
          await using bench = new Bench(tools);
          const failed = await bench.install(bytes, claimed);
          assert.match(failed?.stdout ?? "", refusal);
          assert.throws(() => Deno.statSync(`${bench.dir}/web-1.0.0`), Deno.errors.NotFound);
        }
        await removeTree(tools);
      }
    },
  });

  Deno.test({
    name: `unpacking: a full disk is told as one (${kind})`,
    ignore: needs("busybox"),
    async fn() {
      // The tee and the cat of BusyBox say nothing of it.
      const kinds = kind === "busybox" ? [[]] : [[], ["python3"], ["mkfifo", "python3"]];
      for (const without of kinds) {
        const tools = await toolsOf(kind, without);
        await using bench = new Bench(tools);
        await Deno.symlink("/dev/full", `${bench.place.layout.base}/staging/t/package`);
        const failed = await bench.install(packageWith(LARGE_BYTES));
        assert.match(failed?.stderr ?? "", /No space left on device/, `without ${without}`);
        await removeTree(tools);
      }
    },
  });
}

Deno.test("upload: a file that changed is not sent", async () => {
  await using bench = new Deployments();
  const first = await run(bench.plan(await bench.makePackage()));
  assert.equal(first.host.outcome, "ok");
  const two = await bench.makePackage({ version: "2.0.0" });
  const path = bench.fileOf(two);
  const bytes = await Deno.readFile(path);
  bytes[20] = (bytes[20] ?? 0) ^ 1;
  await Deno.writeFile(path, bytes);
  const { host } = await run(bench.plan(two));
  assert.deepEqual([host.outcome, host.step, host.error?.code], [
    "failed",
    "upload",
    "deploy_failed",
  ]);
  assert.deepEqual(host.error?.details?.["reason"], "digest");
  assert.deepEqual(bench.running(), ["1.0.0"]);
  bench.assertClean();
});
