/** Hosts that lack what a package runs in: systemd, docker. Nothing of the test's own machine decides what is seen. */
import type { HostTarget } from "../../src/deploy/plan.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { localExecutor } from "../../src/executor/local.ts";
import type { Bench } from "./support.ts";

/** This machine, with other programs before its own, and every script and answer as `change` makes it. */
export function host(
  bench: Bench,
  programs: Record<string, string>,
  change: { script?: (text: string) => string; answer?: (text: string) => string } = {},
): HostTarget {
  const dir = `${bench.dir}/programs`;
  Deno.mkdirSync(dir);
  for (const [name, text] of Object.entries(programs)) {
    Deno.writeTextFileSync(`${dir}/${name}`, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
  const local = localExecutor();
  const executor: Executor = {
    host: local.host,
    async run(command, options) {
      if (!("script" in command)) return await local.run(command, options);
      const script = (change.script ?? String)(`PATH=${dir}:$PATH\n${command.script}`);
      const result = await local.run({ ...command, script }, options);
      return { ...result, stdout: (change.answer ?? String)(result.stdout) };
    },
    [Symbol.asyncDispose]: () => local[Symbol.asyncDispose](),
  };
  return bench.target("here", { connect: () => Promise.resolve(executor) });
}

export const CONTAINER = {
  yaml: 'service: {type: docker_container, image: "harness-no-such:1"}\n',
};
