/**
 * What a release needs besides its files: `deno task release:check v1.2.3` stops when tag, versions and changelog
 * disagree, `deno task release:notes v1.2.3` prints the section of the changelog.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { VERSION } from "../src/version.ts";

/** What is compared. */
export interface ReleaseFacts {
  /** The tag, `v1.2.3`. */
  tag: string;
  /** `version` in deno.json. */
  denoVersion: string;
  /** `VERSION` in src/version.ts. */
  sourceVersion: string;
  /** Text of docs/CHANGELOG.md. */
  changelog: string;
}

const TAG = /^v(\d+\.\d+\.\d+(?:-[0-9A-Za-z]+(?:\.[0-9A-Za-z]+)*)?)$/;

/** The text below the heading `## <name>`, without the heading; `null` when there is no such heading. */
export function changelogSection(changelog: string, name: string): string | null {
  const lines = changelog.split("\n");
  const start = lines.indexOf(`## ${name}`);
  if (start < 0) return null;
  const length = lines.slice(start + 1).findIndex((line) => line.startsWith("## "));
  const end = length < 0 ? lines.length : start + 1 + length;
  return lines.slice(start + 1, end).join("\n").trim();
}

/** All that keeps a tag from being released, one sentence each. */
export function releaseProblems(facts: ReleaseFacts): string[] {
  const version = TAG.exec(facts.tag)?.[1];
  if (version === undefined) {
    return [`the tag ${JSON.stringify(facts.tag)} is not v<major>.<minor>.<patch>`];
  }
  const problems: string[] = [];
  for (
    const [file, found] of [
      ["deno.json", facts.denoVersion],
      ["src/version.ts", facts.sourceVersion],
    ]
  ) {
    if (found !== version) problems.push(`${file} has version ${found}, the tag says ${version}`);
  }
  const section = changelogSection(facts.changelog, version);
  if (section === null) problems.push(`docs/CHANGELOG.md has no section "## ${version}"`);
  else if (section === "") problems.push(`docs/CHANGELOG.md has nothing below "## ${version}"`);
  return problems;
}

async function main([command, tag = ""]: readonly string[]): Promise<number> {
  const read = (path: string) => Deno.readTextFile(new URL(`../${path}`, import.meta.url));
  const changelog = await read("docs/CHANGELOG.md");
  const { version: denoVersion } = JSON.parse(await read("deno.json"));
  const problems = releaseProblems({ tag, denoVersion, sourceVersion: VERSION, changelog });
  if (problems.length > 0) {
    for (const problem of problems) console.error(`Cannot release ${tag}: ${problem}`);
    return 1;
  }
  if (command === "notes") {
    console.log(changelogSection(changelog, tag.slice(1)));
    return 0;
  }
  console.log(`${tag}: deno.json, src/version.ts and docs/CHANGELOG.md agree`);
  if ((changelogSection(changelog, "Unreleased") ?? "") !== "") {
    console.error(
      'Note: "## Unreleased" of docs/CHANGELOG.md is not empty: is it in this release?',
    );
  }
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
