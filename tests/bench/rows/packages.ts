/** Packages: built, uploaded to a server and brought to a host, beside what does the same by hand. */
import { createReadStream, createWriteStream } from "node:fs";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { programArgs, startProduct } from "../product.ts";
import { seconds } from "../timed.ts";
import { makeRoot, writeScripts } from "../listening_service.ts";
import type { Figures, Row } from "../row.ts";
import type { Scope } from "../scope.ts";
import { type Sshd, startSshd } from "../../helpers/sshd.ts";

const MANIFEST = `name: big
version: 1.0.0
service:
  type: managed_process
health: {script: scripts/health.sh}
`;
const MIB = 1024 * 1024;
const UPLOAD_BYTES = 256 * MIB;
/** Files of the tree that is packed: 269 MB in 11,500 files, as in a large program with its dependencies. */
const TREE = { directories: 115, files: 100, bytes: 269_000_000 } as const;

const WORDS =
  "read write open close send take find make parse check start stop value list table entry"
    .split(" ");

function program(scope: Scope, args: readonly string[]): Promise<string> {
  const env = { NO_COLOR: "1", XDG_RUNTIME_DIR: scope.dir };
  return scope.run(Deno.execPath(), [...programArgs(), ...args], { env });
}

/** A tree that `package build` takes, with its scripts. */
async function makeTree(dir: string): Promise<void> {
  await writeScripts(dir);
  await Deno.writeTextFile(`${dir}/manifest.yaml`, MANIFEST);
}

/** A package of bytes that cannot be compressed, so that its file is as large. */
async function makePackage(scope: Scope): Promise<string> {
  const dir = scope.path("upload");
  await makeTree(dir);
  const file = await Deno.open(`${dir}/data`, { write: true, create: true });
  for (let left = UPLOAD_BYTES; left > 0; left -= MIB) {
    const chunk = new Uint8Array(MIB);
    for (let at = 0; at < MIB; at += 65536) crypto.getRandomValues(chunk.subarray(at, at + 65536));
    await file.write(chunk);
  }
  file.close();
  const path = `${dir}.d/big-1.0.0.tar.gz`;
  await Deno.mkdir(`${dir}.d`);
  const pack =
    'cd "$1" && sha256sum manifest.yaml scripts/*.sh data > SHA256SUMS && tar -cf "$2" .';
  await scope.run("sh", ["-c", pack, "sh", dir, `${dir}.tar`]);
  // As gzip would: it finds nothing to compress, after nine seconds.
  const gzip = createGzip({ level: 0 });
  await pipeline(createReadStream(`${dir}.tar`), gzip, createWriteStream(path));
  await Deno.remove(`${dir}.tar`);
  return path;
}

/** By hand: scp, then on the host sha256sum, tar and sync. */
async function byHand(scope: Scope, sshd: Sshd, file: string): Promise<Figures> {
  const dir = scope.path("by-hand");
  const options = ["-F", "none", "-i", sshd.identityFile, "-o", "BatchMode=yes"];
  options.push("-o", `UserKnownHostsFile=${sshd.knownHostsFile}`);
  const host = `${sshd.user}@${sshd.host}`;
  await Deno.mkdir(dir);
  const total_s = await seconds(async () => {
    const port = String(sshd.port);
    await scope.run("scp", ["-q", ...options, "-P", port, file, `${host}:${dir}/big.tar.gz`]);
    const there = `cd '${dir}' && sha256sum big.tar.gz && mkdir tree && ` +
      "tar -xzf big.tar.gz -C tree && sync big.tar.gz tree/*";
    await scope.run("ssh", [...options, "-p", port, host, there]);
  });
  await Deno.remove(dir, { recursive: true });
  return { total_s };
}

/** `package push` to a new server. */
async function pushed(scope: Scope, file: string): Promise<Figures> {
  await using server = await startProduct(scope);
  const total_s = await seconds(() =>
    program(scope, ["package", "push", file, "--url", server.url])
  );
  return { total_s };
}

/** `deploy` of a file, by a new server to a host without releases. */
async function deployed(scope: Scope, sshd: Sshd, file: string): Promise<Figures> {
  const root = scope.path("opt");
  await makeRoot(root);
  await using server = await startProduct(scope, {
    flags: [
      ...["--identity", sshd.identityFile, "--known-hosts", sshd.knownHostsFile],
      ...["--ssh-config", "none", "--install-root", root],
    ],
  });
  const host = `${sshd.user}@${sshd.host}:${sshd.port}`;
  const total_s = await seconds(() =>
    program(scope, ["deploy", file, "--url", server.url, "--host", host])
  );
  await program(scope, ["service", "stop", "big", "--url", server.url]);
  await Deno.remove(root, { recursive: true });
  return { total_s };
}

/** Text that is compressed to about a third, as sources are; the same in each run. */
function sampleText(seed: number, bytes: number): Uint8Array {
  let state = seed * 2654435761 + 1;
  const random = (below: number) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  const name = () => WORDS[random(WORDS.length)] + random(0x10000).toString(36);
  let text = "";
  while (text.length < bytes) {
    const verb = WORDS[random(WORDS.length)];
    text += `  const ${name()} = await ${name()}.${verb}(${random(1000)}, "${name()}");\n`;
  }
  return new TextEncoder().encode(text.slice(0, bytes));
}

async function makeLargeTree(scope: Scope): Promise<string> {
  const dir = scope.path("tree");
  await makeTree(dir);
  const each = Math.floor(TREE.bytes / TREE.directories / TREE.files);
  for (let d = 0; d < TREE.directories; d++) {
    await Deno.mkdir(`${dir}/lib/d${d}`, { recursive: true });
    for (let f = 0; f < TREE.files; f++) {
      // Most files are small: a tenth of them has half of all bytes.
      const bytes = Math.floor(f % 10 === 0 ? each * 5 : each * 5 / 9);
      await Deno.writeFile(`${dir}/lib/d${d}/f${f}.ts`, sampleText(d * 1000 + f, bytes));
    }
  }
  return dir;
}

/** Seconds and the size of what was made. */
async function made(
  out: string,
  work: (path: string) => Promise<unknown>,
): Promise<Figures> {
  await Deno.mkdir(out);
  const total_s = await seconds(() => work(`${out}/big-1.0.0.tar.gz`));
  const { size } = await Deno.stat(`${out}/big-1.0.0.tar.gz`);
  await Deno.remove(out, { recursive: true });
  return { total_s, mb: size / 1e6 };
}

/** Rows 1 and 11. */
export const rows: readonly Row[] = [{
  number: 1,
  name: "deploy-256MB",
  limit: "SHA-256 and AES in one thread, beside sshd on the same cores",
  targets: [
    {
      title: "deploy of a local file of 256 MB",
      unit: "s",
      figure: "ours.total_s",
      peer: "by hand.total_s",
      atMost: 1.25,
    },
    { title: "… package push of it", unit: "s", figure: "ours push.total_s" },
  ],
  async setUp(scope, stack) {
    const file = await makePackage(scope);
    const sshd = stack.use(await startSshd());
    return [
      { name: "ours", measure: () => deployed(scope, sshd, file) },
      { name: "ours push", rounds: 3, measure: () => pushed(scope, file) },
      {
        name: "by hand",
        needs: { commands: ["scp"], install: "apt-get install openssh-client openssh-server" },
        measure: () => byHand(scope, sshd, file),
      },
    ];
  },
}, {
  number: 11,
  name: "package-build",
  limit: "compressing on all cores",
  targets: [
    {
      title: "package build of 269 MB in 11,500 files",
      unit: "s",
      figure: "ours.total_s",
      peer: "pigz.total_s",
      atMost: 1.2,
    },
    {
      title: "… size of it",
      unit: "MB",
      figure: "ours.mb",
      peer: "pigz.mb",
    },
    { title: "… beside tar -cz", unit: "s", figure: "ours.total_s", peer: "tar.total_s" },
  ],
  async setUp(scope) {
    const dir = await makeLargeTree(scope);
    const pack = (line: string) =>
      made(scope.path("out"), (path) => scope.run("sh", ["-c", line, "sh", dir, path]));
    const build = (path: string) =>
      program(scope, ["package", "build", dir, "--out", dirname(path)]);
    return [
      { name: "ours", measure: () => made(scope.path("out"), build) },
      {
        name: "pigz",
        needs: { commands: ["pigz"], install: "apt-get install pigz" },
        measure: () => pack('tar -C "$1" -cf - . | pigz > "$2"'),
      },
      { name: "tar", rounds: 1, measure: () => pack('tar -C "$1" -czf "$2" .') },
    ];
  },
}];
