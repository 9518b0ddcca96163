/**
 * The steps of the release workflow, run as far as that goes without publishing anything.
 *
 * Each step that runs something is in one of the two lists below: a new one has to be put there.
 */
import assert from "node:assert/strict";
import { needs } from "../helpers/require.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { readWorkflow, runSteps, type Step } from "./workflows.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const TAG = `v${JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`)).version}`;

/** Steps that only run in the workflow, with the reason. */
const NOT_HERE: Record<string, string> = {
  "deno task compile --target ${{ matrix.target }}": "needs denort; compile_system_test.ts",
  "chmod +x dist/harness-ws-server-${{ matrix.target }}": "of a file that was downloaded",
  "deno test -A tests/cli/permissions_system_test.ts": "is a test of this suite",
  "deno task npm": "the tests on Node and Bun use what it makes",
};

async function sh(run: string, cwd: string, env: Record<string, string> = {}): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command("bash", {
    // As GitHub runs a step.
    args: ["--noprofile", "--norc", "-eo", "pipefail", "-c", run],
    cwd,
    env: { GITHUB_REF_NAME: TAG, NO_COLOR: "1", ...env },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  const said = text.decode(stdout) + text.decode(stderr);
  assert.equal(code, 0, `${run}\n${said}`);
  return said;
}

const steps = new Map<string, Step & { run: string }>();
for (const { step, run } of runSteps(await readWorkflow("release.yml"))) {
  steps.set(step.name ?? run, { ...step, run });
}

function step(name: string): string {
  const found = steps.get(name);
  assert.ok(found !== undefined, `release.yml has no step ${name}`);
  steps.delete(name);
  return found.run;
}

Deno.test({
  name: "release.yml: its steps do what they say",
  ignore: needs("minisign", "node"),
  async fn(t) {
    await using dir = await tempDir();
    const dist = `${dir.path}/dist`;
    await Deno.mkdir(`${dir.path}/.github`);
    await Deno.mkdir(dist);
    const files = ["harness-ws-server-x86_64-unknown-linux-gnu", "harness-service-registry-1.tgz"];
    for (const file of files) await Deno.writeTextFile(`${dist}/${file}`, file);

    await t.step("versions agree", async () => {
      const run = step('deno task release:check "$GITHUB_REF_NAME"');
      assert.match(await sh(run, ROOT), /agree/);
      await assert.rejects(sh(run, ROOT, { GITHUB_REF_NAME: "v99.0.0" }), /Cannot release v99/);
    });

    await t.step("checksums of every file", async () => {
      await sh(step("Checksums"), dist);
      const sums = await Deno.readTextFile(`${dist}/SHA256SUMS`);
      for (const file of files) assert.match(sums, new RegExp(`^[0-9a-f]{64}  ${file}$`, "m"));
    });

    await t.step("signature, with a key of this test", async () => {
      const [key, other] = [`${dir.path}/minisign.key`, `${dir.path}/other.key`];
      await sh(`minisign -G -W -f -p .github/minisign.pub -s ${key}`, dir.path);
      const run = step("Sign the checksums");
      const secret = { MINISIGN_SECRET_KEY: await Deno.readTextFile(key) };
      assert.match(await sh(run, dir.path, secret), new RegExp(`harness-ws-server ${TAG}`));
      await sh(`minisign -G -W -f -p other.pub -s ${other}`, dir.path);
      const foreign = { MINISIGN_SECRET_KEY: await Deno.readTextFile(other) };
      await assert.rejects(sh(run, dir.path, foreign), /minisign/, "a key that is not ours");
      await assert.rejects(sh(run, dir.path, { MINISIGN_SECRET_KEY: "" }), /minisign/);
    });

    await t.step("notes and files, with a gh that only prints", async () => {
      await Deno.mkdir(`${dir.path}/bin`);
      const gh = `${dir.path}/bin/gh`;
      await Deno.writeTextFile(gh, '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 });
      const env = { PATH: `${dir.path}/bin:${Deno.env.get("PATH")}` };
      for (const name of ["deno.json", ".ci", "src", "docs"]) {
        await Deno.symlink(`${ROOT}${name}`, `${dir.path}/${name}`);
      }
      const said = await sh(step("Release"), dir.path, env);
      for (const word of [TAG, "--verify-tag", "--latest", "dist/SHA256SUMS", ...files]) {
        assert.ok(said.includes(word), `${word}: ${said}`);
      }
      assert.notEqual((await Deno.readTextFile(`${dir.path}/notes.md`)).trim(), "");
    });

    await t.step("npm publish takes the tarball, as a dry run", async () => {
      const package_ = { name: "@harness/service-registry", version: TAG.slice(1) };
      await Deno.writeTextFile(`${dir.path}/package.json`, JSON.stringify(package_));
      await Deno.remove(`${dist}/harness-service-registry-1.tgz`);
      await sh("npm pack --silent --pack-destination dist", dir.path);
      const run = step("Publish").replace("npm publish --provenance", "npm publish --dry-run");
      assert.match(await sh(run, dir.path), /harness-service-registry/);
    });

    await t.step("no step was forgotten", () => {
      steps.delete("deno publish"); // check:publish is its dry run
      assert.deepEqual([...steps.keys()], Object.keys(NOT_HERE));
    });
  },
});
