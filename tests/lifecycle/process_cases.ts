import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import { formatEnvFile } from "../../src/lifecycle/env_file.ts";
import { needs } from "../helpers/require.ts";
import {
  isAlive,
  kill,
  type Machine,
  pidsWith,
  Place,
  processController,
  UNTIL_ITS_END,
} from "./fixture.ts";
import type { MachineKind } from "./fixture.ts";
import { untilPasses } from "../helpers/raw_client.ts";

export const LOOP = "while :; do sleep 0.2; done";

/** What a rejected start or stop says. */
export async function failure(
  call: Promise<unknown>,
): Promise<{ code: string; message: string; details: Record<string, unknown> }> {
  const error = await call.then(() => assert.fail("it worked"), (error) => error);
  assert.ok(error instanceof HarnessError, String(error));
  return { code: error.code, message: error.message, details: error.details ?? {} };
}

/** What ProcessController does on every kind of machine. */
export function testProcess({ name: where, component, open }: MachineKind): void {
  const test = (name: string, fn: (machine: Machine, place: Place) => Promise<void>) =>
    Deno.test({
      name: `ProcessController.${name}, ${where}`,
      ignore: component !== null && needs(component),
      async fn() {
        await using place = new Place();
        await using machine = await open(place);
        await fn(machine, place);
      },
    });

  test(
    "start(): own session, then status() and stop()",
    async (machine, place) => {
      const controller = processController(machine, place.shell("api", `echo hello; ${LOOP}`));
      assert.equal((await controller.status()).detail, "never started");
      const started = await controller.start();
      assert.ok(started.running && started.pid !== null);
      assert.ok(await isAlive(started.pid));
      assert.equal((await controller.start()).pid, started.pid, "a second start changes nothing");
      assert.equal((await controller.status()).pid, started.pid);
      const stat = await Deno.readTextFile(`/proc/${started.pid}/stat`);
      const [, , group, session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      assert.deepEqual([group, session], [String(started.pid), String(started.pid)]);
      assert.deepEqual(await controller.logs(5), ["hello"]);
      const stopped = await controller.stop();
      assert.deepEqual([stopped.running, stopped.signal], [false, "SIGTERM"]);
      assert.equal(await isAlive(started.pid), false);
      const after = await controller.status();
      assert.deepEqual([after.running, after.asked, after.signal], [false, true, "SIGTERM"]);
      assert.equal((await controller.stop()).running, false, "a second stop is fine");
    },
  );

  test(
    "start(): an early exit fails with code and log",
    async (machine, place) => {
      const spec = place.shell("short", "echo one; echo 'cannot open the database' >&2; exit 3");
      const { code, message, details } = await failure(
        processController(machine, spec, UNTIL_ITS_END).start(),
      );
      assert.equal(code, "unavailable");
      assert.match(
        message,
        /exited with code 3 at once; its last line was: cannot open the database/,
      );
      assert.deepEqual(
        [details.exit_code, details.signal, details.log],
        [3, null, ["one", "cannot open the database"]],
      );
    },
  );

  test(
    "start(): an early exit 0 suggests daemon",
    async (machine, place) => {
      const hint =
        /exited with code 0 at once \(if it runs on in the background, .* start: daemon\)/;
      const spec = place.shell("short", "exit 0");
      assert.match(
        (await failure(processController(machine, spec, UNTIL_ITS_END).start())).message,
        hint,
      );
    },
  );

  test("start(): names the problem of the program", async (machine, place) => {
    place.script("plain.sh", "#!/bin/sh\n", 0o644);
    place.script("crlf.sh", "#!/bin/sh\r\necho hi\r\n");
    place.script("interpreter.sh", "#!/no/such/interpreter\n");
    const cases: [string, RegExp][] = [
      [place.path("missing"), /missing does not exist/],
      [place.path("plain.sh"), /plain\.sh is not executable: chmod \+x it/],
      [place.path("crlf.sh"), /crlf\.sh has CRLF line ends: save it with LF/],
      [place.path("interpreter.sh"), /interpreter \/no\/such\/interpreter .* does not exist/],
      [place.dir, /is a directory/],
      ["no-such-command-anywhere", /not on the PATH/],
    ];
    for (const [program, expected] of cases) {
      const { code, details } = await failure(
        processController(machine, place.spec("bad", [program])).start(),
      );
      assert.equal(code, "unavailable");
      assert.match(String(details.reason), expected);
    }
    const bad = (options: Parameters<Place["shell"]>[2]) =>
      failure(processController(machine, place.shell("bad", LOOP, options)).start());
    assert.match(
      (await bad({ workDir: place.path("nowhere") })).message,
      /working directory .*nowhere does not exist/,
    );
    assert.match(
      (await bad({ envFile: place.path("no.env") })).message,
      /env file .*no\.env cannot be read/,
    );
    assert.match(
      (await bad({ execution: { user: "no-such-user" } })).message,
      /the user no-such-user does not exist/,
    );
  });

  test("start(): names the owner of a taken port", async (machine, place) => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    const spec = place.shell("web", LOOP, { ports: [{ name: "http", port, protocol: "http" }] });
    const { message } = await failure(processController(machine, spec, UNTIL_ITS_END).start());
    assert.match(message, new RegExp(`port ${port} is already taken by .*\\(pid ${Deno.pid}\\)`));
  });

  test(
    "stop(): kills a whole tree that ignores TERM",
    async (machine, place) => {
      const mark = `${place.dir}/mark`;
      const child = `trap "" TERM; : ${mark}; ${LOOP}`;
      const script = `trap "" TERM
      sh -c '${child}' & (setsid sh -c '${child}' &) & sh -c '${child}' | cat & ${LOOP}`;
      const spec = place.shell("tree", script, { stop: { signal: "TERM", timeoutMs: 300 } });
      const controller = processController(machine, spec);
      const { pid } = await controller.start();
      await untilPasses(async () => assert.ok((await pidsWith(mark)).length >= 3));
      const stopped = await controller.stop();
      assert.match(stopped.detail, /killed, because it did not end within 300 ms/);
      assert.deepEqual(await pidsWith(mark), []);
      assert.equal(await isAlive(pid ?? 0), false);
    },
  );

  test(
    "stop(): stop program first, then the signal",
    async (machine, place) => {
      place.script("stop.sh", `#!/bin/sh\necho "stopping $WHO"\ntouch ${place.path("asked")}\n`);
      const polite = `while [ ! -e ${place.path("asked")} ]; do sleep 0.1; done; echo bye; exit 0`;
      await Deno.writeTextFile(place.path("env"), formatEnvFile({ WHO: "it's me" }));
      const options = {
        envFile: place.path("env"),
        execution: { stopArgv: [place.path("stop.sh")] as [string] },
      };
      const controller = processController(machine, place.shell("polite", polite, options));
      await controller.start();
      const stopped = await controller.stop();
      assert.equal(stopped.running, false);
      const log = await controller.logs(10);
      assert.ok(log.includes("stopping it's me"), log.join("\n"));
      const stubborn = processController(machine, place.shell("stubborn", LOOP, options));
      await stubborn.start();
      assert.deepEqual([(await stubborn.stop()).signal], ["SIGTERM"]);
    },
  );

  test(
    "status(): exit code, signal and unasked end",
    async (machine, place) => {
      const gate = place.path("gate");
      const controller = processController(
        machine,
        place.shell("crash", `while [ ! -e ${gate} ]; do sleep 0.05; done; exit 7`),
      );
      await controller.start();
      await Deno.writeTextFile(gate, "");
      await untilPasses(async () => assert.equal((await controller.status()).running, false));
      const status = await controller.status();
      assert.deepEqual([status.exitCode, status.signal, status.asked], [7, null, false]);
      const killed = processController(machine, place.shell("killed", LOOP));
      const { pid } = await killed.start();
      kill(pid);
      await untilPasses(async () => assert.equal((await killed.status()).signal, "SIGKILL"));
    },
  );

  test(
    "start(): adopts what a daemon left behind",
    async (machine, place) => {
      const script = place.script(
        "start.sh",
        `#!/bin/sh\nsetsid sh -c ': ${place.dir}; ${LOOP}' >/dev/null 2>&1 &\nexit 0\n`,
      );
      const controller = processController(
        machine,
        place.spec("daemon", [script], { execution: { start: "daemon" } }),
      );
      const started = await controller.start();
      assert.ok(started.pid !== null && await isAlive(started.pid));
      assert.match(await Deno.readTextFile(`/proc/${started.pid}/cmdline`), new RegExp(place.dir));
      assert.equal((await controller.stop()).running, false);
      assert.equal(await isAlive(started.pid), false);
      const failing = place.script("fail.sh", "#!/bin/sh\necho no luck\nexit 4\n");
      const { details } = await failure(
        processController(
          machine,
          place.spec("daemon2", [failing], { execution: { start: "daemon" } }),
        ).start(),
      );
      assert.deepEqual([details.exit_code, details.log], [4, ["no luck"]]);
    },
  );

  test("reload(): sends HUP or runs the reload program", async (machine, place) => {
    const hup = processController(machine, place.shell("hup", `trap 'echo reloaded' HUP; ${LOOP}`));
    const { pid } = await hup.start();
    assert.equal((await hup.reload()).pid, pid);
    await untilPasses(async () => assert.ok((await hup.logs(5)).includes("reloaded")));
    await hup.stop();
    assert.match((await failure(hup.reload())).message, /it does not run/);
    const deaf = processController(machine, place.shell("deaf", LOOP));
    const running = (await deaf.start()).pid;
    assert.match((await failure(deaf.reload())).message, /does not catch SIGHUP/);
    assert.equal((await deaf.status()).pid, running);
    await deaf.stop();
    const reloadArgv = [place.script("reload.sh", "#!/bin/sh\necho by program\n")] as const;
    const program = processController(
      machine,
      place.shell("program", LOOP, { execution: { reloadArgv } }),
    );
    await program.start();
    await program.reload();
    assert.deepEqual(await program.logs(5), ["by program"]);
    await program.stop();
  });

  test(
    "start(): clean environment, never argv",
    async (machine, place) => {
      const values = { SECRET: "s3'c\"r$e`t\\ \n line two", EMPTY: "", UNICODE: "žluťoučký ☃" };
      await Deno.writeTextFile(place.path("env"), formatEnvFile(values), { mode: 0o600 });
      const script =
        `printf '%s|%s|%s|%s' "$SECRET" "$EMPTY" "$UNICODE" "\${HARNESS_TEST_LEAK-none}" > ${
          place.path("out")
        }; ${LOOP}`;
      const controller = processController(
        machine,
        place.shell("env", script, { envFile: place.path("env") }),
      );
      await controller.start();
      assert.equal(
        await Deno.readTextFile(place.path("out")),
        `${values.SECRET}|${values.EMPTY}|${values.UNICODE}|none`,
      );
      assert.deepEqual(await pidsWith("s3'c"), []);
      await controller.stop();
    },
  );

  test(
    "follow(): streams across a rotation until aborted",
    async (machine, place) => {
      const controller = processController(
        machine,
        // So much before the first line that what follows the rotation stays shorter than what was: a reader that
        // looks once a second knows by this that the file was cut.
        place.shell(
          "chatty",
          `head -c 9999 /dev/zero | tr '\\0' x; echo; n=0; while :; do n=$((n + 1)); echo "line $n"; sleep 0.05; done`,
        ),
      );
      await controller.start();
      const stop = new AbortController();
      const seen: string[] = [];
      for await (const line of controller.follow({ signal: stop.signal })) {
        seen.push(line);
        if (seen.length === 3) await Deno.truncate(place.path("log/chatty.log"));
        if (seen.length === 30) stop.abort();
      }
      const numbers = seen.slice(0, 30).map((line) => Number(line.split(" ")[1]));
      assert.ok(numbers.every((n, i) => i === 0 || n > (numbers[i - 1] ?? 0)), numbers.join(" "));
      await controller.stop();
    },
  );
}
