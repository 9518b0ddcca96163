/** What every executor must do, whatever it reaches. */
import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import { MAX_COMMAND_BYTES } from "../../src/executor/limits.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { isAlive, type Machine } from "./machines.ts";
import { eventually } from "../helpers/raw_client.ts";

type Body = (executor: Executor) => Promise<void>;

const cases: { name: string; body: Body; shell: boolean }[] = [];

/** A case that every executor with a shell must pass. */
function onEach(name: string, body: Body): void {
  cases.push({ name, body, shell: true });
}

/** A case that every executor must pass, also one that knows a few programs and no shell. */
function onAny(name: string, body: Body): void {
  cases.push({ name, body, shell: false });
}

/** Runs a script that writes pids to a file, one a line, and answers them once there are `count`. */
async function pidsFrom(file: string, count: number): Promise<number[]> {
  let pids: number[] = [];
  await eventually(async () => {
    const text = await Deno.readTextFile(file).catch(() => "");
    pids = text.split("\n").slice(0, -1).map(Number);
    return pids.length >= count;
  }, `${count} processes run`);
  return pids;
}

async function tempDir(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "harness-executor-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** A family that ignores every polite signal: the command, a child and a grandchild. */
const FAMILY = `trap '' TERM INT HUP
echo $$ >>"$1"
sh -c 'trap "" TERM HUP; echo $$ >>"$1"; sh -c '"'"'echo $$ >>"$1"; sleep 600'"'"' sh "$1"; :' sh "$1" &
wait; sleep 600`;

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new assert.AssertionError({ message: "expected a rejection" });
}

function isHarnessError(error: unknown, code: string): error is HarnessError {
  assert.ok(error instanceof HarnessError, `not a HarnessError: ${error}`);
  assert.equal(error.code, code, error.message);
  return true;
}

const ARGS = [
  "",
  "a b",
  "'",
  `"`,
  "$HOME",
  "`id`",
  "$(id)",
  "\n",
  "-n",
  "*",
  "é𝄞",
  "\\0101",
  "!!",
  "",
];

onAny("passes every argument byte for byte, empty ones too", async (machine) => {
  const result = await machine.run({ argv: ["printf", "%s|", ...ARGS] });
  assert.equal(result.stdout, ARGS.map((arg) => `${arg}|`).join(""));
  assert.equal(result.exitCode, 0);
});

onEach("passes every argument of a script byte for byte", async (machine) => {
  const script = 'printf "%s," $#; printf "%s|" "$@"';
  const scripted = await machine.run({ script, args: ARGS });
  assert.equal(scripted.stdout, `${ARGS.length},` + ARGS.map((arg) => `${arg}|`).join(""));
});

onAny("reports the exit code, and a program that is missing", async (machine) => {
  assert.equal((await machine.run({ argv: ["false"] })).exitCode, 1);
  const env = { PATH: "/usr/bin:/bin" };
  const missing = await machine.run({ argv: ["harness-no-such-program"] }, { env });
  assert.equal(missing.exitCode, 127);
  assert.match(missing.stderr, /harness-no-such-program.*not found/);
});

onAny("rejects on timeout and on abort, with the reason", async (machine) => {
  const sleep = ["sleep", "600"] as const;
  isHarnessError(await rejection(machine.run({ argv: sleep }, { timeoutMs: 100 })), "timeout");
  const reason = new Error("changed my mind");
  const abort = new AbortController();
  const running = rejection(machine.run({ argv: sleep }, { signal: abort.signal }));
  abort.abort(reason);
  assert.equal(await running, reason);
  const late = AbortSignal.abort(reason);
  assert.equal(await rejection(machine.run({ argv: ["true"] }, { signal: late })), reason);
  assert.equal((await machine.run({ argv: ["echo", "still here"] })).stdout, "still here\n");
});

onEach("sets directory and environment, and reports the exit code", async (machine) => {
  const env = { HARNESS_A: "it's $HOME", HARNESS_EMPTY: "", HARNESS_LINES: "a\nb" };
  const script =
    'printf "%s|%s|%s|%s" "$HARNESS_A" "${HARNESS_EMPTY-unset}" "$HARNESS_LINES" "$PWD"; exit 42';
  const result = await machine.run({ script }, { cwd: "/tmp", env });
  assert.deepEqual([result.stdout, result.exitCode, result.signal], [
    "it's $HOME||a\nb|/tmp",
    42,
    null,
  ]);
  const program = await machine.run({ argv: ["sh", "-c", 'echo "$HARNESS_A"'] }, { env });
  assert.equal(program.stdout, "it's $HOME\n");
});

onEach("says which program or directory is missing", async (machine) => {
  // Where a directory of PATH cannot be read, shells say "permission denied" instead.
  const env = { PATH: "/usr/bin:/bin" };
  const program = await machine.run({ argv: ["harness-no-such-program", "x"] }, { env });
  assert.equal(program.exitCode, 127);
  assert.match(program.stderr, /harness-no-such-program.*not found/);
  const dir = await machine.run({ argv: ["echo", "ran"] }, { cwd: "/harness/no/such" });
  assert.deepEqual([dir.exitCode, dir.stdout], [1, ""]);
  assert.match(dir.stderr, /\/harness\/no\/such/);
});

onEach("reports the signal that ended a command", async (machine) => {
  for (const signal of ["TERM", "KILL"]) {
    const result = await machine.run({ script: `kill -${signal} $$; sleep 600` });
    assert.deepEqual([result.exitCode, result.signal], [null, `SIG${signal}`]);
  }
});

onEach("keeps stdout and stderr apart and leaves bytes alone", async (machine) => {
  const result = await machine.run({ script: "echo out; echo err >&2; echo more" });
  assert.deepEqual([result.stdout, result.stderr], ["out\nmore\n", "err\n"]);
  assert.equal(result.truncated, false);
  const chunks: Uint8Array[] = [];
  const raw = await machine.run(
    { script: String.raw`printf '\000\001\377\n\200'; echo kept-not >&2` },
    { onStdout: (chunk) => chunks.push(chunk), onStderr: () => {} },
  );
  assert.deepEqual([...new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer())], [
    0,
    1,
    255,
    10,
    128,
  ]);
  assert.deepEqual([raw.stdout, raw.stderr], ["", ""]);
});

onAny("gives text, bytes and streams on stdin, and its end", async (machine) => {
  assert.equal((await machine.run({ argv: ["cat"] }, { stdin: "tëxt\n" })).stdout, "tëxt\n");
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  const chunks: Uint8Array[] = [];
  const onStdout = (chunk: Uint8Array) => void chunks.push(chunk);
  await machine.run({ argv: ["cat"] }, { stdin: bytes, onStdout });
  assert.deepEqual(await new Blob(chunks as BlobPart[]).bytes(), bytes);
  const stream = ReadableStream.from(["one\n", "two\n"]).pipeThrough(new TextEncoderStream());
  assert.equal((await machine.run({ argv: ["cat"] }, { stdin: stream })).stdout, "one\ntwo\n");
  assert.equal((await machine.run({ argv: ["cat"] })).stdout, "");
});

onAny("does not wait for a command that stops reading its input", async (machine) => {
  let cancelled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
    cancel: () => void (cancelled = true),
  });
  const result = await machine.run({ argv: ["head", "-c", "10"] }, { stdin: endless });
  assert.deepEqual([result.exitCode, result.stdout.length], [0, 10]);
  assert.equal(cancelled, true, "the source is told that nobody reads any more");
  const big = new Uint8Array(8 * 1024 * 1024);
  assert.equal((await machine.run({ argv: ["true"] }, { stdin: big })).exitCode, 0);
});

onEach("kills the command when the source of its input breaks", async (machine) => {
  await using dir = await tempDir();
  let sent = 0;
  const broken = new ReadableStream<Uint8Array>({
    pull(controller) {
      sent += 1;
      if (sent > 3) throw new Error("disk on fire");
      controller.enqueue(new Uint8Array(1000));
    },
  });
  const script = 'cat >"$1/part"; mv "$1/part" "$1/whole"';
  const error = await rejection(machine.run({ script, args: [dir.path] }, { stdin: broken }));
  assert.match(String(error), /disk on fire/);
  await assert.rejects(Deno.stat(`${dir.path}/whole`), "half an input never counts as a whole one");
});

onEach("kills the whole process group on timeout", async (machine) => {
  await using dir = await tempDir();
  const file = `${dir.path}/pids`;
  let pids: number[] = [];
  // A machine too busy to start all three in that time gets more.
  for (let timeoutMs = 2000; pids.length < 3 && timeoutMs < 60_000; timeoutMs *= 3) {
    await Deno.writeTextFile(file, "");
    const error = await rejection(machine.run({ script: FAMILY, args: [file] }, { timeoutMs }));
    isHarnessError(error, "timeout");
    pids = await pidsFrom(file, 0);
    assert.deepEqual(pids.filter(isAlive), []);
  }
  assert.equal(pids.length, 3);
});

onEach(
  "kills the whole process group on abort and rejects with the reason",
  async (machine) => {
    await using dir = await tempDir();
    const file = `${dir.path}/pids`;
    const abort = new AbortController();
    const reason = new Error("changed my mind");
    const running = rejection(
      machine.run({ script: FAMILY, args: [file] }, { signal: abort.signal }),
    );
    const pids = await pidsFrom(file, 3);
    assert.equal(pids.filter(isAlive).length, 3);
    abort.abort(reason);
    assert.equal(await running, reason);
    assert.deepEqual(pids.filter(isAlive), []);
    assert.equal((await machine.run({ argv: ["echo", "still here"] })).stdout, "still here\n");
  },
);

onEach("runs nothing when it was aborted before", async (machine) => {
  await using dir = await tempDir();
  const signal = AbortSignal.abort(new Error("too late"));
  const running = machine.run({ argv: ["touch", `${dir.path}/ran`] }, { signal });
  await assert.rejects(running, /too late/);
  await assert.rejects(Deno.stat(`${dir.path}/ran`));
});

onAny("keeps the end of long output, in whole characters", async (machine) => {
  const stdin = Array.from({ length: 2000 }, (_, i) => `line-${i}-é\n`).join("");
  const result = await machine.run({ argv: ["cat"] }, { stdin, maxOutputBytes: 1000 });
  assert.equal(result.truncated, true);
  assert.ok(result.stdout.endsWith("line-1998-é\nline-1999-é\n"));
  const bytes = new TextEncoder().encode(result.stdout).length;
  assert.ok(bytes > 990 && bytes <= 1000, `${bytes} bytes`);
  assert.doesNotMatch(result.stdout, /\uFFFD/);
});

onAny("stops when an output callback throws", async (machine) => {
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(1024)),
  });
  const running = machine.run({ argv: ["cat"] }, {
    stdin: endless,
    onStdout: () => {
      throw new Error("reader broke");
    },
  });
  await assert.rejects(running, /reader broke/);
});

onEach(
  "returns when a daemon keeps the output open, and leaves it running",
  async (machine) => {
    const result = await machine.run({ script: "sleep 600 & echo $!" });
    const pid = Number(result.stdout);
    assert.equal(result.exitCode, 0);
    assert.equal(isAlive(pid), true);
    Deno.kill(pid, "SIGKILL");
  },
);

onAny("runs many commands at once and mixes nothing up", async (machine) => {
  const inputs = Array.from({ length: 25 }, (_, i) => `o${i}`);
  const results = await Promise.all(
    inputs.map((stdin) => machine.run({ argv: ["cat"] }, { stdin })),
  );
  assert.deepEqual(results.map((result) => result.stdout), inputs);
});

onAny("refuses what no command can receive", async (machine) => {
  const bad: Array<[Parameters<Executor["run"]>[0], Parameters<Executor["run"]>[1]]> = [
    [{ argv: ["echo", "a\0b"] }, {}],
    [{ argv: ["echo", "\ud800"] }, {}],
    [{ argv: [""] }, {}],
    [{ argv: ["-c"] }, {}],
    [{ script: "echo \0" }, {}],
    [{ argv: ["true"] }, { env: { "A;id": "x" } }],
    [{ argv: ["true"] }, { env: { A: "\0" } }],
    [{ argv: ["true"] }, { cwd: "/\0" }],
  ];
  for (const [command, options] of bad) {
    isHarnessError(await rejection(machine.run(command, options)), "invalid_params");
  }
  const long = "x".repeat(MAX_COMMAND_BYTES);
  isHarnessError(await rejection(machine.run({ argv: ["echo", long] })), "too_large");
});

onEach("takes input no faster than the command reads it", async (machine) => {
  await using dir = await tempDir();
  const chunk = new Uint8Array(256 * 1024).fill(7);
  const total = 64 * 1024 * 1024;
  let pulled = 0;
  const stdin = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (pulled >= total) return controller.close();
      pulled += chunk.length;
      controller.enqueue(chunk);
    },
  }, { highWaterMark: 0 });
  const script = 'until [ -e "$1/go" ]; do sleep 0.1; done; wc -c';
  const running = machine.run({ script, args: [dir.path] }, { stdin });
  // As much as goes in while nobody reads: it has to come to a stand long before the end.
  let before = -1;
  await eventually(async () => {
    before = pulled;
    // Nothing tells that it stands still but a while in which nothing more is taken.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return pulled > 0 && pulled === before;
  }, "no more input is taken");
  await Deno.writeTextFile(`${dir.path}/go`, "");
  assert.equal(Number((await running).stdout), total);
  assert.ok(before <= 16 * 1024 * 1024, `${before} bytes were taken while nobody read`);
});

onEach(
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

/** Registers the contract's tests for one kind of machine. */
export function testContract(machine: Machine): void {
  const { name, ignore, open } = machine;
  for (const { name: what, body, shell } of cases) {
    if (shell && machine.shell === false) continue;
    Deno.test({
      name: `Executor.run: ${what} (${name})`,
      ignore,
      fn: async () => {
        await using machine = await open();
        await body(machine.executor);
      },
    });
  }

  Deno.test({
    name: `Executor: disposing kills what still runs (${name})`,
    ignore,
    fn: async () => {
      await using machine = await open();
      await machine.executor.run({ argv: ["true"] });
      const runs = [1, 2, 3].map(() => rejection(machine.executor.run({ argv: ["sleep", "600"] })));
      await machine[Symbol.asyncDispose]();
      for (const error of await Promise.all(runs)) isHarnessError(error, "cancelled");
      isHarnessError(await rejection(machine.executor.run({ argv: ["true"] })), "cancelled");
    },
  });
  if (machine.shell === false) return;

  Deno.test({
    name: `Executor: disposing kills what still runs (${name})`,
    ignore,
    fn: async () => {
      await using dir = await tempDir();
      const file = `${dir.path}/pids`;
      const machine = await open();
      await machine.executor.run({ argv: ["true"] });
      const script = 'echo $$ >>"$1"; sleep 600';
      const runs = [1, 2, 3].map(() => rejection(machine.executor.run({ script, args: [file] })));
      const pids = await pidsFrom(file, 3);
      await machine[Symbol.asyncDispose]();
      for (const error of await Promise.all(runs)) isHarnessError(error, "cancelled");
      assert.deepEqual(pids.filter(isAlive), []);
      const late = await rejection(machine.executor.run({ argv: ["true"] }));
      isHarnessError(late, "cancelled");
    },
  });
}
