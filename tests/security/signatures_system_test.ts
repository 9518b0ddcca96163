/** D2 and D3: a package is what its name says, and a server takes and deploys only what is signed. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { buildPackage } from "../../src/package/build.ts";
import { generateKeyPair, type KeyPair, signPackage } from "../../src/package/signing/sign.ts";
import { runCli, startServer } from "../helpers/cli.ts";
import { tempDir } from "../helpers/temp_dir.ts";

/** Packages q 0.1.0 and 0.2.0 in `dir`, signed with a new key whose public half is `<dir>/q.pub`. */
async function signedPackages(dir: string): Promise<{ old: string; next: string; pair: KeyPair }> {
  const tree = join(dir, "q");
  assert.equal((await runCli(["package", "init", tree])).code, 0);
  const build = async (version: string) =>
    (await buildPackage(tree, { outDir: dir, version })).path;
  const [old, next] = [await build("0.1.0"), await build("0.2.0")];
  const pair = await generateKeyPair();
  await signPackage(old, pair);
  await signPackage(next, pair);
  await Deno.writeTextFile(join(dir, "q.pub"), pair.publicKey);
  return { old, next, pair };
}

/** Copies a package with its signature. */
async function copySigned(from: string, to: string): Promise<void> {
  await Deno.copyFile(from, to);
  await Deno.copyFile(`${from}.minisig`, `${to}.minisig`);
}

const RENAMED = /its file is called "q-9\.9\.9\.tar\.gz", and its manifest says q 0\.1\.0/;

Deno.test("signatures: every command refuses a renamed package (D2)", async () => {
  await using dir = await tempDir();
  const { old } = await signedPackages(dir.path);
  const renamed = join(dir.path, "q-9.9.9.tar.gz");
  await copySigned(old, renamed);
  const key = join(dir.path, "q.pub");
  await using server = await startServer();
  const url = ["--url", server.url];
  const commands = [
    ["package", "verify", renamed],
    ["package", "verify", renamed, "--key", key],
    ["package", "inspect", renamed],
    ["package", "sign", renamed, "--key", join(dir.path, "q.key")],
    ["package", "push", renamed, ...url],
    ["deploy", renamed, "--local", ...url],
    ["deploy", renamed, "--local", "--require-signature", key, ...url],
    ["deploy", renamed, "--local", "--direct", "--install-root", `${dir.path}/opt`],
    ["deploy", renamed, "--local", "--direct", "--require-signature", key],
  ];
  await runCli(["package", "keygen", "--out", join(dir.path, "q"), "--force"]);
  for (const command of commands) {
    const { code, stderr } = await runCli(command);
    assert.equal(code, 1, `${command.join(" ")}: ${stderr}`);
    assert.match(stderr, RENAMED, command.join(" "));
  }
});

Deno.test("signatures: no package under the name of another (D2)", async () => {
  await using dir = await tempDir();
  const { old } = await signedPackages(dir.path);
  const packages = join(dir.path, "packages");
  await Deno.mkdir(packages);
  // By hand, as a mirror writer or an administrator would.
  await copySigned(old, join(packages, "q-9.9.9.tar.gz"));
  await copySigned(old, join(packages, "q-0.1.0.tar.gz"));
  await using server = await startServer(["--packages-dir", packages]);
  const url = ["--url", server.url];
  const list = await runCli(["package", "list", "--json", ...url]);
  assert.deepEqual(JSON.parse(list.stdout).map(({ file }: { file: string }) => file), [
    "q-0.1.0.tar.gz",
  ]);
  for (const reference of ["q-9.9.9.tar.gz", "q@9.9.9"]) {
    const { code, stderr } = await runCli(["deploy", reference, "--local", ...url], {
      cwd: packages.replace(/packages$/, "q"),
    });
    assert.equal(code, 1);
    assert.match(stderr, /q-9\.9\.9\.tar\.gz: its manifest has q 0\.1\.0.*\[package_invalid\]/);
  }
  const token = (await Deno.readTextFile(`${server.stateDir}/token`)).trim();
  const put = await fetch(`${server.url.replace(/^ws/, "http")}/packages/q-8.8.8.tar.gz`, {
    method: "PUT",
    headers: { authorization: `Bearer ${token}` },
    body: await Deno.readFile(old),
  });
  assert.equal(put.status, 422);
  assert.match((await put.json()).error.message, /its manifest has q 0\.1\.0/);
});

Deno.test("signatures: --trusted-key takes only signed packages (D3)", async () => {
  await using dir = await tempDir();
  const { old, next, pair } = await signedPackages(dir.path);
  const packages = join(dir.path, "packages");
  const opt = join(dir.path, "opt");
  await using server = await startServer([
    ...["--trusted-key", join(dir.path, "q.pub"), "--packages-dir", packages],
    ...["--install-root", opt],
  ]);
  const url = ["--url", server.url];
  const token = (await Deno.readTextFile(`${server.stateDir}/token`)).trim();
  const http = server.url.replace(/^ws/, "http");
  const put = async (name: string, body: BodyInit, headers: Record<string, string> = {}) => {
    const response = await fetch(`${http}/packages/${name}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${token}`, ...headers },
      body,
    });
    const { error } = await response.json();
    return [response.status, error?.details?.reason ?? error?.code];
  };
  const bytes = await Deno.readFile(old);
  const signature = await Deno.readTextFile(`${old}.minisig`);
  const inHeader = (text: string) => ({ "x-minisign-signature": btoa(text) });
  const stranger = join(dir.path, "stranger");
  await Deno.mkdir(stranger);
  await Deno.copyFile(old, join(stranger, "q-0.1.0.tar.gz"));
  await signPackage(join(stranger, "q-0.1.0.tar.gz"), await generateKeyPair());
  const strange = await Deno.readTextFile(join(stranger, "q-0.1.0.tar.gz.minisig"));
  const file = "q-0.1.0.tar.gz";
  assert.deepEqual(await put(file, bytes), [422, "unsigned"]);
  assert.deepEqual(await put(file, bytes, inHeader(strange)), [422, "unknown_key"]);
  assert.deepEqual(await put(file, bytes, inHeader("nonsense")), [422, "bad_signature"]);
  const ofNext = await Deno.readTextFile(`${next}.minisig`);
  assert.deepEqual(await put(file, bytes, inHeader(ofNext)), [422, "bad_signature"]);
  // The older package under the newer one's name, with its own good signature.
  assert.deepEqual(await put("q-0.2.0.tar.gz", bytes, inHeader(signature)), [
    422,
    "package_invalid",
  ]);
  assert.deepEqual(await put(`${file}.minisig`, "x".repeat(100_000)), [413, "too_large"]);
  assert.equal(await exists(join(packages, file)), false);
  // Both orders: with the package, and the signature first.
  assert.deepEqual(await put(file, bytes, inHeader(signature)), [201, undefined]);
  assert.deepEqual(await put("q-0.2.0.tar.gz.minisig", ofNext), [201, undefined]);
  assert.deepEqual(await put("q-0.2.0.tar.gz", await Deno.readFile(next)), [201, undefined]);
  // A signature that is not one of the package that is there does not take the good one's place.
  assert.deepEqual(await put(`${file}.minisig`, strange), [422, "unknown_key"]);
  assert.equal(await Deno.readTextFile(join(packages, `${file}.minisig`)), signature);

  // Right before a deployment, the server's copy is checked again.
  const deploy = () => runCli(["deploy", "q@0.1.0", "--local", ...url], { cwd: stranger });
  for (
    const [reason, spoil] of [
      ["no signature", () => Deno.remove(join(packages, `${file}.minisig`))],
      [
        "not among the 1 trusted",
        () => Deno.writeTextFile(join(packages, `${file}.minisig`), strange),
      ],
      [
        "its signature is bad",
        () => Deno.copyFile(`${next}.minisig`, join(packages, `${file}.minisig`)),
      ],
    ] as const
  ) {
    await spoil();
    const { code, stderr } = await deploy();
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`${reason}.*\\[package_invalid\\]`));
  }
  assert.equal(await exists(opt), false, "nothing was installed");
  await Deno.writeTextFile(join(packages, `${file}.minisig`), signature);
  const done = await deploy();
  assert.equal(done.code, 0, done.stderr);
  const deployments = await runCli(["deployments", "--json", ...url]);
  assert.equal(JSON.parse(deployments.stdout)[0].by, "token");
  assert.equal((await runCli(["service", "stop", "q", ...url])).code, 0);
  // The CLI sends the signature beside the file along, and the key itself is a value too.
  assert.match(pair.publicKey, /\n(RW\S+)\n$/);
});

Deno.test("signatures: the CLI uploads and requires them (D3)", async () => {
  await using dir = await tempDir();
  const { old, pair } = await signedPackages(dir.path);
  const keyLine = /\n(RW\S+)\n$/.exec(pair.publicKey)?.[1] ?? "";
  const opt = join(dir.path, "opt");
  await using server = await startServer(["--trusted-key", keyLine, "--install-root", opt]);
  const url = ["--url", server.url];
  const pushed = await runCli(["package", "push", old, ...url]);
  assert.equal(pushed.code, 0, pushed.stderr);
  const elsewhere = join(dir.path, "elsewhere");
  await Deno.mkdir(elsewhere);
  await runCli(["package", "keygen", "--out", join(dir.path, "other")]);
  const deploy = (key: string) =>
    runCli(
      ["deploy", "q@0.1.0", "--local", "--require-signature", join(dir.path, key), ...url],
      { cwd: elsewhere },
    );
  const refused = await deploy("other.pub");
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /not among the 1 trusted ones.*\[package_invalid\]/);
  const done = await deploy("q.pub");
  assert.equal(done.code, 0, done.stderr);
  assert.equal((await runCli(["service", "stop", "q", ...url])).code, 0);
  const nonsense = await runCli([
    "--listen",
    "127.0.0.1:0",
    "--trusted-key",
    join(dir.path, "q/manifest.yaml"),
    "--state-dir",
    join(dir.path, "s"),
  ]);
  assert.match(nonsense.stderr, /Cannot use --trusted-key .*manifest\.yaml: it is not a minisign/);
});

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
