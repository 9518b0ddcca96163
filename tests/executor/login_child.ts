/**
 * Logs in once, in a process that has done nothing before, and prints how it ended as one line of JSON.
 *
 * `login_child.ts <target JSON> <options JSON>`
 */
import { HarnessError } from "../../src/errors.ts";
import { connectSsh } from "../../src/executor/ssh/connect.ts";

const [target = "{}", options = "{}"] = Deno.args;
const report = (result: unknown) =>
  Deno.stdout.write(new TextEncoder().encode(JSON.stringify(result)));
try {
  await using machine = await connectSsh(JSON.parse(target), JSON.parse(options));
  const { stdout } = await machine.run({ argv: ["id", "-un"] });
  await report({ user: stdout.trim() });
} catch (error) {
  if (!(error instanceof HarnessError)) throw error;
  await report({ reason: error.details?.reason, step: error.details?.step });
}
