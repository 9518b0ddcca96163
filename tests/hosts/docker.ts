/** Runs programs for the test hosts. */

/** How a program ended. */
export interface Ended {
  /** Exit code. */
  code: number;
  /** What it printed. */
  stdout: string;
  /** What it printed to stderr. */
  stderr: string;
}

/** Runs a program to its end. */
export async function run(program: string, args: string[], stdin?: string): Promise<Ended> {
  const child = new Deno.Command(program, {
    args,
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(stdin));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stderr: decode(stderr) };
}

/** Runs a program that must work; answers what it printed. */
export async function runOrThrow(
  program: string,
  args: string[],
  stdin?: string,
): Promise<string> {
  const ended = await run(program, args, stdin);
  if (ended.code === 0) return ended.stdout;
  const tail = `${ended.stdout}\n${ended.stderr}`.trim().split("\n").slice(-15).join("\n");
  throw new Error(`Cannot run ${program} ${args[0] ?? ""}: exit code ${ended.code}:\n${tail}`);
}
