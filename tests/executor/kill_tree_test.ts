import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import { isAlive, testOnEach } from "./machines.ts";

testOnEach(
  "kills what left the process group, as under sudo with a terminal of its own",
  async (machine) => {
    let pids: number[] = [];
    // What sudo does with `use_pty`: the command gets a session of its own, below the one we know.
    const script = "setsid -w sh -c 'echo $$; sleep 600 & echo $!; wait'; echo after";
    // A machine too busy to start both in that time gets more.
    for (let timeoutMs = 2000; pids.length < 2 && timeoutMs < 60_000; timeoutMs *= 3) {
      let text = "";
      const running = machine.run({ script }, {
        timeoutMs,
        onStdout: (chunk) => text += new TextDecoder().decode(chunk),
      });
      await assert.rejects(
        running,
        (error) => error instanceof HarnessError && error.code === "timeout",
      );
      pids = text.split("\n").slice(0, -1).map(Number);
      assert.deepEqual(pids.filter(isAlive), []);
    }
    assert.equal(pids.length, 2);
  },
);
