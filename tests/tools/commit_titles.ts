/**
 * Checks the subjects of commits: `deno task check:commits [range]`, by default what is not on `origin/main`.
 *
 * A subject is `type(scope): imperative` with at most 72 characters, so that a list of them can be read.
 */
// deno-lint-ignore-file no-console

/** The types of a commit, as CONTRIBUTING.md explains them. */
export const TYPES: readonly string[] = [
  "feat",
  "fix",
  "perf",
  "refactor",
  "docs",
  "test",
  "build",
  "ci",
  "style",
  "chore",
];
/** What `git log --oneline` shows whole in 80 columns. */
const MAX_LENGTH = 72;
const FORM = new RegExp(`^(?:${TYPES.join("|")})(?:\\([a-z0-9_,/.-]+\\))?!?: (.+)$`);

/** What is wrong with a subject, or `null`. */
export function titleProblem(subject: string): string | null {
  const words = FORM.exec(subject)?.[1];
  if (words === undefined) {
    return `must be "type(scope): imperative", type one of ${TYPES.join(", ")}`;
  }
  if (subject.length > MAX_LENGTH) return `has ${subject.length} characters; at most ${MAX_LENGTH}`;
  if (/[.!]$/.test(words)) return "must not end with a full stop";
  if (/^[A-Z][a-z]/.test(words)) return "must begin with a small letter after the colon";
  return null;
}

async function subjects(range: string): Promise<string[]> {
  const { success, stdout, stderr } = await new Deno.Command("git", {
    args: ["log", "--no-merges", "--format=%h %s", range],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
}

if (import.meta.main) {
  const range = Deno.args[0] ?? "origin/main..HEAD";
  let bad = 0;
  const lines = await subjects(range);
  for (const line of lines) {
    const at = line.indexOf(" ");
    const problem = titleProblem(line.slice(at + 1));
    if (problem === null) continue;
    bad += 1;
    console.error(`${line}\n    ${problem}`);
  }
  console.log(`${lines.length} commits in ${range}, ${bad} with a bad subject`);
  Deno.exit(bad === 0 ? 0 : 1);
}
