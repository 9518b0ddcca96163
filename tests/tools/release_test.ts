import assert from "node:assert/strict";
import { changelogSection, releaseProblems } from "../../.ci/release.ts";
import { readWorkflow, runSteps } from "./workflows.ts";

const ROOT = new URL("../../", import.meta.url);
const CHANGELOG =
  "# Changelog\n\n## Unreleased\n\n- soon\n\n## 1.2.3\n\n- new\n\n## 1.2.2\n\n- old\n";
const GOOD = { tag: "v1.2.3", denoVersion: "1.2.3", sourceVersion: "1.2.3", changelog: CHANGELOG };

Deno.test("changelogSection: from its heading to the next", () => {
  assert.equal(changelogSection(CHANGELOG, "1.2.3"), "- new");
  assert.equal(changelogSection(CHANGELOG, "1.2.2"), "- old");
  assert.equal(changelogSection(CHANGELOG, "1.2"), null);
});

Deno.test("releaseProblems: none where all agree", () => {
  assert.deepEqual(releaseProblems(GOOD), []);
});

Deno.test("releaseProblems: names each that differs", () => {
  const problems = releaseProblems({ ...GOOD, tag: "v1.2.4" });
  assert.deepEqual(problems, [
    "deno.json has version 1.2.3, the tag says 1.2.4",
    "src/version.ts has version 1.2.3, the tag says 1.2.4",
    'docs/CHANGELOG.md has no section "## 1.2.4"',
  ]);
  assert.match(releaseProblems({ ...GOOD, sourceVersion: "1.2.2" })[0] ?? "", /src\/version\.ts/);
  const empty = CHANGELOG.replace("- new\n", "");
  assert.match(releaseProblems({ ...GOOD, changelog: empty })[0] ?? "", /nothing below/);
});

Deno.test("releaseProblems: a tag is v and a version", () => {
  for (const tag of ["1.2.3", "v1.2", "v1.2.3 ", "v1.2.3-", "v1.2.3\n", "v01.2.3x", ""]) {
    assert.match(releaseProblems({ ...GOOD, tag })[0] ?? "", /is not v<major>/, tag);
  }
  const version = "1.2.3-rc.1";
  const pre = { tag: `v${version}`, denoVersion: version, sourceVersion: version };
  const changelog = `## ${version}\n\n- new\n`;
  assert.deepEqual(releaseProblems({ ...pre, changelog }), []);
});

Deno.test("workflows: call tasks and files that there are", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  for (const name of ["ci.yml", "release.yml"]) {
    const workflow = await readWorkflow(name);
    for (const { run } of runSteps(workflow)) {
      for (const [, task = ""] of run.matchAll(/deno task (?:--quiet )?([\w:]+)/g)) {
        assert.ok(task in tasks, `${name}: deno task ${task}`);
      }
      for (const [path] of run.matchAll(/(?<![\w/-])(?:tests|src|\.ci)\/[\w./-]*\w/g)) {
        await Deno.stat(new URL(path, ROOT));
      }
    }
    for (const { uses } of Object.values(workflow.jobs)) {
      if (uses !== undefined) await Deno.stat(new URL(uses, ROOT));
    }
  }
});

Deno.test("workflows: actions have a version, and one only", async () => {
  const versions = new Map<string, Set<string>>();
  for (const name of ["ci.yml", "release.yml"]) {
    for (const { steps = [] } of Object.values((await readWorkflow(name)).jobs)) {
      for (const { uses } of steps) {
        if (uses === undefined) continue;
        const [action = "", version = ""] = uses.split("@");
        assert.match(version, /^v\d+$|^[0-9a-f]{40}$/, uses);
        versions.set(action, (versions.get(action) ?? new Set()).add(version));
      }
    }
  }
  const several = [...versions].filter(([, found]) => found.size > 1);
  assert.deepEqual(several, []);
});

Deno.test("release.yml: rights are given to single jobs, by name", async () => {
  const { permissions, jobs } = await readWorkflow("release.yml");
  assert.deepEqual(permissions, {});
  const writers = Object.entries(jobs).flatMap(([id, { permissions }]) => {
    assert.ok(permissions !== undefined, `${id} has no permissions`);
    return Object.entries(permissions).filter(([, right]) => right === "write")
      .map(([name]) => `${id} ${name}`);
  });
  assert.deepEqual(writers, [
    "github contents",
    "github id-token",
    "github attestations",
    "npm id-token",
    "jsr id-token",
  ]);
});

Deno.test("release.yml: nothing is published before all is tested", async () => {
  const { jobs } = await readWorkflow("release.yml");
  const before = (id: string): Set<string> => {
    const direct = [jobs[id]?.needs ?? []].flat();
    return new Set(direct.flatMap((it) => [it, ...before(it)]));
  };
  for (const id of Object.keys(jobs)) {
    if (id !== "check") assert.ok(before(id).has("check"), `${id} does not wait for the check`);
  }
  for (const id of ["npm", "jsr", "github"]) {
    const done = before(id);
    for (const needed of ["check", "ci", "binary", "binary-test", "package"]) {
      assert.ok(done.has(needed), `${id} does not wait for ${needed}`);
    }
  }
});

Deno.test("release.yml: every target of deno compile", async () => {
  const { jobs } = await readWorkflow("release.yml");
  const { stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["compile", "--target", "none", "src/cli/main.ts"],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  const known = /possible values: ([\w, -]+)/.exec(new TextDecoder().decode(stderr))?.[1] ?? "";
  const compiled = jobs["binary"]?.strategy?.matrix.include.map(({ target }) => target) ?? [];
  assert.deepEqual(compiled.toSorted(), known.split(", ").toSorted());
});
