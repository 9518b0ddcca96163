/** Which test files there are, by suite. */

/** `quick` needs nothing installed; `system` needs real components or much time. */
export type Suite = "quick" | "system" | "all";

const SYSTEM = "_system_test.ts";

/** The suite a file belongs to, by its name. */
export function suiteOf(file: string): "quick" | "system" {
  return file.endsWith(SYSTEM) ? "system" : "quick";
}

/** The test files of a suite, sorted, as paths from the repository's root. */
export async function testFiles(suite: Suite, dir = "tests"): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(dir)) {
    const path = `${dir}/${entry.name}`;
    if (entry.isDirectory) found.push(...await testFiles(suite, path));
    else if (entry.name.endsWith("_test.ts") && (suite === "all" || suiteOf(path) === suite)) {
      found.push(path);
    }
  }
  return found.sort();
}
