import assert from "node:assert/strict";
import { localExecutor } from "../../src/executor/local.ts";
import { Bench, run } from "./support.ts";

Deno.test("deploy(): sudo that asks for a password", async () => {
  await using bench = new Bench();
  const inner = localExecutor();
  const hosts = [bench.target("here", {
    become: "sudo",
    connect: () =>
      Promise.resolve({
        host: "here",
        // A machine whose sudo is as sudo is without NOPASSWD.
        run: (command, options) => {
          const sudo = "argv" in command && command.argv[0] === "sudo";
          const refuse = 'echo "sudo: a password is required" >&2; exit 1';
          return inner.run(sudo ? { script: refuse } : command, options);
        },
        [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
      }),
  })];
  const { host } = await run(bench.plan(await bench.makePackage(), { hosts }));
  assert.equal(host.outcome, "failed");
  assert.equal(host.step, "connect");
  assert.equal(host.error?.details?.["reason"], "sudo");
  assert.match(host.error?.message ?? "", /a password is required; allow this user .*NOPASSWD/);
});
