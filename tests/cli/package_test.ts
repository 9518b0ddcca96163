import assert from "node:assert/strict";
import { runCli, runHere, startServer } from "../helpers/cli.ts";
import { inTempDir } from "../helpers/temp_dir.ts";

Deno.test("package: init, build, inspect and verify", async () => {
  await inTempDir(async (dir) => {
    const run = (...args: string[]) => runCli(["package", ...args], { cwd: dir });
    assert.equal((await run("init", "my-svc")).stdout, "my-svc\n");
    const again = await run("init", "my-svc");
    assert.equal(again.code, 1);
    assert.match(again.stderr, /\[already_exists\]$/m);
    assert.equal((await run("init", "bad name")).code, 2);

    const built = await run("build", "my-svc", "--out", "dist");
    const [sha256, path = ""] = built.stdout.trimEnd().split("  ");
    assert.match(path, /\/dist\/my-svc-0\.1\.0\.tar\.gz$/);
    const json = JSON.parse((await run("build", "my-svc", "--out", "dist", "--json")).stdout);
    assert.deepEqual([json.sha256, json.unchanged, json.version], [sha256, true, "0.1.0"]);

    const inspected = JSON.parse((await run("inspect", "--json", path)).stdout);
    assert.equal(inspected.sha256, sha256);
    assert.equal(inspected.manifest.service.type, "managed_process");
    assert.ok(inspected.entries.some((e: { path: string }) => e.path === "scripts/start.sh"));
    assert.match((await run("inspect", path)).stdout, /^sha256: +[0-9a-f]{64}$/m);
    assert.match((await run("verify", path)).stdout, /my-svc 0\.1\.0 is sound\n$/);

    await Deno.writeTextFile(`${dir}/my-svc/scripts/start.sh`, "#!/bin/sh\nexit 0\n");
    const other = await run("build", "my-svc", "--out", "dist");
    assert.equal(other.code, 1);
    assert.match(other.stderr, /\[already_exists\]\n {2}hint: add --force/);
    assert.equal((await run("build", "my-svc", "--out", "dist", "--force")).code, 0);
  });
});

Deno.test("package verify: exits with 1 and the reason", async () => {
  await inTempDir(async (dir) => {
    const run = (...args: string[]) => runCli(["package", ...args], { cwd: dir });
    await run("init", "svc");
    await run("build", "svc");
    const file = `${dir}/svc-0.1.0.tar.gz`;
    const bytes = await Deno.readFile(file);
    await Deno.writeFile(`${dir}/cut.tar.gz`, bytes.subarray(0, bytes.length - 20));
    const cut = await run("verify", "cut.tar.gz");
    assert.equal(cut.code, 1);
    assert.match(
      cut.stderr,
      /ends too early \[package_invalid\]\n {2}hint: the package is cut\.tar\.gz\n$/,
    );
    const missing = await run("verify", "nothing.tar.gz");
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /\[not_found\]\n$/);
    await Deno.writeTextFile(`${dir}/svc/manifest.yaml`, "name: svc\nversion: 1.0.0\nnmae: x\n");
    const broken = await run("build", "svc");
    assert.equal(broken.code, 1);
    assert.match(broken.stderr, /manifest\.yaml:3:1[^]*\n {2}hint: the directory is svc\n$/);
  });
});

Deno.test("package verify: accepts keys of keygen and sign", async () => {
  await inTempDir(async (dir) => {
    const run = (...args: string[]) => runCli(["package", ...args], { cwd: dir });
    await run("init", "svc");
    await run("build", "svc");
    const file = "svc-0.1.0.tar.gz";
    assert.equal((await run("keygen", "--out", "a")).stdout, "a.key\na.pub\n");
    await run("keygen", "--out", "b");
    assert.equal((await Deno.stat(`${dir}/a.key`)).mode! & 0o777, 0o600);
    assert.match((await run("keygen", "--out", "a")).stderr, /\[already_exists\]$/m);
    const unsigned = await run("verify", file, "--key", "a.pub");
    assert.match(
      unsigned.stderr,
      /no signature.*\n {2}hint: the package is svc-0\.1\.0\.tar\.gz\n$/,
    );
    assert.equal((await run("sign", file, "--key", "a.key")).stdout.trimEnd(), `${file}.minisig`);
    const good = await run("verify", file, "--key", "a.pub", "--json");
    assert.match(JSON.parse(good.stdout).signed_by, /^[0-9A-F]{16}$/);
    const wrong = await run("verify", file, "--key", "b.pub");
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /signed it, which is not among/);
    assert.equal((await run("verify", file, "--key", "b.pub", "a.pub")).code, 0);
    const refused = await runCli(
      ["deploy", file, "--local", "--require-signature", "b.pub", "--url", "ws://127.0.0.1:9"],
      { cwd: dir },
    );
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      /\[package_invalid\]\n {2}hint: the package is svc-0\.1\.0\.tar\.gz\n$/,
    );
    await Deno.rename(`${dir}/${file}`, `${dir}/other-1.0.0.tar.gz`);
    const renamed = await run("sign", "other-1.0.0.tar.gz", "--key", "a.key");
    assert.match(
      renamed.stderr,
      /\[package_invalid\]\n {2}hint: the package is other-1\.0\.0\.tar\.gz\n$/,
    );
    assert.equal((await run("sign", file)).code, 2);
  });
});

Deno.test("package push: other bytes only with --force", async () => {
  await using server = await startServer();
  await inTempDir(async (dir) => {
    const env = { HARNESS_URL: server.url };
    const run = (...args: string[]) => runHere(["package", ...args], env);
    const file = `${dir}/svc-0.1.0.tar.gz`;
    await run("init", `${dir}/svc`);
    await run("build", `${dir}/svc`, "--out", dir);
    const first = await run("push", file);
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stderr, /^uploading svc-0\.1\.0\.tar\.gz/);
    assert.match((await run("push", file)).stderr, /is on the server already/);
    await Deno.writeTextFile(`${dir}/svc/bin/svc`, "#!/bin/sh\nexec sleep 1\n");
    await run("build", `${dir}/svc`, "--out", dir, "--force");
    const other = await run("push", file);
    assert.equal(other.code, 1);
    assert.match(other.stderr, /\[already_exists\]\n {2}hint: add --force/);
    assert.equal((await run("push", file, "--force")).code, 0);
    await Deno.copyFile(file, `${dir}/renamed.tar.gz`);
    assert.match(
      (await run("push", `${dir}/renamed.tar.gz`)).stderr,
      /its file is called "renamed\.tar\.gz", .*that is svc-0\.1\.0\.tar\.gz \[package_invalid\]$/m,
    );
    const [held] = JSON.parse((await run("list", "--json")).stdout);
    assert.equal(held.sha256, JSON.parse((await run("inspect", "--json", file)).stdout).sha256);
    await Deno.writeTextFile(`${dir}/svc-9.0.0.tar.gz`, "no package");
    assert.match((await run("push", `${dir}/svc-9.0.0.tar.gz`)).stderr, /\[package_invalid\]$/m);
  });
});

Deno.test("package push: a large one is checked meanwhile", async () => {
  await using server = await startServer();
  await inTempDir(async (dir) => {
    const run = (...args: string[]) => runHere(["package", ...args], { HARNESS_URL: server.url });
    await run("init", `${dir}/svc`);
    const data = new Uint8Array(17 * 1024 * 1024);
    for (let at = 0; at < data.length; at += 65536) {
      crypto.getRandomValues(data.subarray(at, at + 65536));
    }
    await Deno.writeFile(`${dir}/svc/bin/data`, data);
    await run("build", `${dir}/svc`, "--out", dir);
    const file = `${dir}/svc-0.1.0.tar.gz`;
    const sound = await Deno.readFile(file);
    const damaged = sound.slice();
    damaged.fill(0, damaged.length - 5000, damaged.length - 4000);
    await Deno.writeFile(file, damaged);
    const refused = await run("push", file);
    assert.match(refused.stderr, /\[package_invalid\]\n {2}hint: the package is .*\.tar\.gz$/m);
    assert.deepEqual(JSON.parse((await run("list", "--json")).stdout), []);
    await Deno.writeFile(file, sound);
    assert.equal((await run("push", file)).code, 0);
    assert.match((await run("push", file)).stderr, /is on the server already/);
  });
});

Deno.test("package: init, keygen and sign print JSON", async () => {
  await inTempDir(async (dir) => {
    const json = async (...args: string[]) => {
      const { code, stdout, stderr } = await runHere(["package", ...args, "--json"]);
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout);
    };
    assert.deepEqual(await json("init", `${dir}/svc`), { dir: `${dir}/svc`, name: "svc" });
    const { path } = await json("build", `${dir}/svc`, "--out", dir);
    const { key_id, ...files } = await json("keygen", "--out", `${dir}/k`);
    assert.match(key_id, /^[0-9A-F]{16}$/);
    assert.deepEqual(files, {
      secret_key_file: `${dir}/k.key`,
      public_key_file: `${dir}/k.pub`,
    });
    assert.deepEqual(await json("sign", path, "--key", files.secret_key_file), {
      file: path,
      signature_file: `${path}.minisig`,
    });
    const verified = await json("verify", path, "--key", files.public_key_file);
    assert.equal(verified.signed_by, key_id);
  });
});
