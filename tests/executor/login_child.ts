/**
 * Logs in once, in a process that has done nothing before, and prints how it ended as one line of JSON.
 *
 * `login_child.ts <target JSON> <options JSON>`
 */
import { HarnessError } from "../../src/errors.ts";
import { connectSsh } from "../../src/executor/ssh.ts";

const [target = "{}", options = "{}"] = Deno.args;
try {
  await using machine = await connectSsh(JSON.parse(target), JSON.parse(options));
  const { stdout } = await machine.run({ argv: ["id", "-un"] });
  console.log(JSON.stringify({ user: stdout.trim() }));
} catch (error) {
  if (!(error instanceof HarnessError)) throw error;
  console.log(JSON.stringify({ reason: error.details?.reason, step: error.details?.step }));
}
