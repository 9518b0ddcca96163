/**
 * Checks any server's protocol from outside.
 *
 * ```text
 * deno task conformance --url ws://127.0.0.1:8080 [--token-file file]
 * ```
 *
 * Prints one line per check and `N passed, N failed`; exits 1 when one failed, 2 for wrong flags, 4 when
 * the server cannot be reached. It registers services named `conformance-…` and removes them again.
 */
import { parseArgs } from "node:util";
import { type CheckResult, runSuite } from "./suite.ts";

const USAGE = "usage: deno task conformance --url ws://host:port [--token-file file]";

function readFlags(): { url: string; tokenFile: string | undefined } | null {
  try {
    const { values } = parseArgs({
      args: Deno.args,
      options: { url: { type: "string" }, "token-file": { type: "string" } },
    });
    if (values.url === undefined || !URL.canParse(values.url)) return null;
    return { url: values.url, tokenFile: values["token-file"] };
  } catch {
    return null;
  }
}

function line({ name, error, skipped, durationMs }: CheckResult): string {
  if (skipped !== null) return `skip            ${name} (${skipped})`;
  const time = `${Math.round(durationMs)} ms`.padStart(8);
  if (error === null) return `ok    ${time}  ${name}`;
  return `FAIL  ${time}  ${name}\n                ${
    error.message.replaceAll("\n", "\n                ")
  }`;
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

function complain(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${text}\n`));
}

async function main(): Promise<number> {
  const flags = readFlags();
  if (flags === null) {
    complain(USAGE);
    return 2;
  }
  const { url, tokenFile } = flags;
  const counts = { passed: 0, failed: 0, skipped: 0 };
  try {
    const token = tokenFile === undefined ? undefined : (await Deno.readTextFile(tokenFile)).trim();
    const address = token === undefined ? { url } : { url, token };
    for await (const result of runSuite(address)) {
      print(line(result));
      counts[result.skipped !== null ? "skipped" : result.error === null ? "passed" : "failed"]++;
    }
  } catch (error) {
    complain(`Cannot check ${url}: ${error instanceof Error ? error.message : error}`);
    return 4;
  }
  const skipped = counts.skipped === 0 ? "" : `, ${counts.skipped} skipped`;
  print(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
  return counts.failed === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
