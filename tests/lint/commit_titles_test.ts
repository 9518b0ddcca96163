import assert from "node:assert/strict";
import { titleProblem } from "../tools/commit_titles.ts";

Deno.test("titleProblem: takes type(scope): imperative", () => {
  for (
    const good of ["fix(ssh): report an unreadable key", "docs: name the limits", "feat(cli)!: x"]
  ) {
    assert.equal(titleProblem(good), null, good);
  }
});

Deno.test("titleProblem: refuses what a list cannot show", () => {
  for (
    const bad of [
      "Fix the server",
      "fix the server",
      "fixed(ssh): report it",
      "fix(ssh): Report it",
      "fix(ssh): report it.",
      `fix(ssh): ${"x".repeat(63)}`,
    ]
  ) assert.notEqual(titleProblem(bad), null, bad);
});
