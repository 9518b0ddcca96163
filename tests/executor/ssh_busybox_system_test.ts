import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { startBusyBoxHost } from "../helpers/busybox_host.ts";
import { needs } from "../helpers/require.ts";
import { connectTo } from "./machines.ts";

const ignore = needs("dropbear", "busybox", "root");

/** Runs something that waits, kills it by timeout, and answers which of its processes are left. */
async function leftAfterTimeout(machine: Executor): Promise<string> {
  const script = "sleep 611 & sleep 612; sleep 613";
  await assert.rejects(
    machine.run({ script }, { timeoutMs: 1500 }),
    (error) => error instanceof HarnessError && error.code === "timeout",
  );
  const { stdout } = await machine.run({ script: "ps -o args | grep -c '^sleep 61[123]' || true" });
  return stdout.trim();
}

Deno.test({
  name: "Executor.run: works with BusyBox and dropbear only",
  ignore,
  fn: async () => {
    await using host = await startBusyBoxHost();
    await using machine = await connectTo(host);
    const args = ["", "it's", "$(id)", "\n", "\\0101", "é"];
    const result = await machine.run(
      { script: 'printf "%s|" "$A" "$PWD" "$@"; cat; exit 7', args },
      { env: { A: "a b" }, cwd: "/tmp", stdin: "input" },
    );
    const expected = ["a b", "/tmp", ...args].map((word) => `${word}|`).join("");
    assert.deepEqual([result.stdout, result.exitCode, result.stderr], [`${expected}input`, 7, ""]);
    assert.equal((await machine.run({ argv: ["no-such-program"] })).exitCode, 127);
    assert.equal((await machine.run({ script: "kill -KILL $$" })).signal, "SIGKILL");
    const big = await machine.run({ argv: ["wc", "-c"] }, { stdin: new Uint8Array(20_000_000) });
    assert.equal(big.stdout.trim(), "20000000");
    const runs = Array.from({ length: 20 }, (_, i) => machine.run({ argv: ["echo", `${i}`] }));
    const outputs = (await Promise.all(runs)).map(({ stdout }) => stdout.trim());
    assert.deepEqual(outputs, Array.from({ length: 20 }, (_, i) => `${i}`));
    // Beside a long one there is room for another: each has a connection of its own, since dropbear ends one
    // on which a command begins in the moment in which another ends.
    const long = machine.run({ script: "while [ ! -e /tmp/go ]; do sleep 1; done; echo gone on" });
    await machine.run({ argv: ["touch", "/tmp/go"] });
    assert.equal((await long).stdout, "gone on\n");
    const { stdout } = await machine.run({
      script: "ps -o args | grep -c '^[/a-z]*dropbear' || true",
    });
    assert.equal(stdout.trim(), "3"); // the listener and two connections
  },
});

Deno.test({
  name: "Executor.run: under dropbear kills the group only",
  ignore,
  fn: async () => {
    await using host = await startBusyBoxHost();
    await using machine = await connectTo(host);
    assert.equal(await leftAfterTimeout(machine), "0");
  },
});

Deno.test({
  name: "Executor.run: kills the command itself without setsid",
  ignore,
  fn: async () => {
    await using host = await startBusyBoxHost({ without: ["setsid"] });
    await using machine = await connectTo(host);
    assert.equal((await machine.run({ argv: ["echo", "in"] })).stdout, "in\n");
    const running = machine.run({ argv: ["sleep", "614"] }, { timeoutMs: 1000 });
    await assert.rejects(running, /still running after 1000 ms/);
    const { stdout } = await machine.run({ script: "ps -o args | grep -c '^sleep 614' || true" });
    assert.equal(stdout.trim(), "0");
  },
});
