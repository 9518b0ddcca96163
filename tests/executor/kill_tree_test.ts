import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import { isAlive, testOnEach } from "./machines.ts";

testOnEach(
  "kills what left the process group, as under sudo with a terminal of its own",
  async (machine) => {
    const pids: number[] = [];
    // What sudo does with `use_pty`: the command gets a session of its own, below the one we know.
    const script = "setsid -w sh -c 'echo $$; sleep 600 & echo $!; wait'; echo after";
    const running = machine.run({ script }, {
      timeoutMs: 3000,
      onStdout: (chunk) => {
        pids.push(...new TextDecoder().decode(chunk).trim().split("\n").map(Number));
      },
    });
    await assert.rejects(
      running,
      (error) => error instanceof HarnessError && error.code === "timeout",
    );
    assert.equal(pids.length, 2);
    assert.deepEqual(pids.filter(isAlive), []);
  },
);
