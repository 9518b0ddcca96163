/**
 * Reads a file of hosts.
 *
 * @module
 */
import { messageOf } from "../../errors.ts";
import { parseTarget, targetLabel } from "../../model/target.ts";
import type { FileIssue } from "../../util/file_issues.ts";
import type { NamedFile } from "./flags.ts";
import { readNamedFile } from "./secrets.ts";
import { unusable } from "./text_file.ts";

/**
 * The hosts of a file: one a line, `#` begins a comment.
 *
 * @throws {HarnessError} `invalid_params` with every mistake and its line, or `not_found`.
 */
export async function readHostsFile(file: NamedFile): Promise<string[]> {
  const text = await readNamedFile(file);
  const hosts: string[] = [];
  const issues: FileIssue[] = [];
  const lineOf = new Map<string, number>();
  for (const [index, written] of text.split("\n").entries()) {
    const host = written.replace(/(^|\s)#.*/s, "").trim();
    if (host === "") continue;
    const line = index + 1;
    const problem = hostProblem(host, line, lineOf);
    if (problem === null) hosts.push(host);
    else issues.push({ path: "", line, column: written.indexOf(host) + 1, message: problem });
  }
  if (hosts.length === 0 && issues.length === 0) {
    const message = "there is no host in it, write one a line";
    issues.push({ path: "", line: 1, column: 1, message });
  }
  if (issues.length > 0) throw unusable({ ...file, reason: "hosts_file" }, issues);
  return hosts;
}

/** What is wrong with a host, or `null`; `lineOf` has the hosts before it. */
function hostProblem(host: string, line: number, lineOf: Map<string, number>): string | null {
  try {
    const label = targetLabel(parseTarget(host));
    const before = lineOf.get(label);
    lineOf.set(label, before ?? line);
    return before === undefined
      ? null
      : `${JSON.stringify(host)} is named in line ${before} already`;
  } catch (error) {
    return messageOf(error);
  }
}
