/**
 * The boundary between root and the user of a service (CASES B): root opens nothing that this user can put there, and
 * has no variable that a package or a deployment sets.
 */
import assert from "node:assert/strict";
import { hostLayout } from "../../src/deploy/host/layout.ts";
import { acquireCommand, releaseCommand } from "../../src/deploy/host/lock/commands.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { formatEnvFile } from "../../src/lifecycle/env_file.ts";
import { Bench } from "../deploy/support.ts";
import { LOCAL, type Machine, MACHINES, Place, processController } from "../lifecycle/fixture.ts";
import { checkHealth } from "../../src/lifecycle/health/check.ts";
import { needs } from "../helpers/require.ts";
import { rootTouches, Secret, STRACE } from "./hostile_user.ts";
import { untilPasses } from "../helpers/raw_client.ts";

const LOOP = "while :; do sleep 0.2; done";

/** A machine whose every command begins with descriptors that somebody has left open to `file`. */
function leaking(machine: Machine, file: string): Executor {
  return {
    host: machine.executor.host,
    run: (command, options) => {
      if ("argv" in command) return machine.executor.run(command, options);
      // A number of one digit, which a shell can close, and one that only some can.
      const text = 'exec 8>>"$1" 88>>"$1"; shift; exec sh -c "$@"';
      const argv = ["bash", "-c", text, "bash", file, command.script, "sh"] as const;
      return machine.executor.run({ argv: [...argv, ...command.args ?? []] }, options);
    },
    [Symbol.asyncDispose]: () => machine.executor[Symbol.asyncDispose](),
  };
}

/** Pids of what has `file` open. */
function holders(file: string): string[] {
  return [...Deno.readDirSync("/proc")].filter(({ name }) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const fds = [...Deno.readDirSync(`/proc/${name}/fd`)];
      return fds.some((fd) => Deno.readLinkSync(`/proc/${name}/fd/${fd.name}`) === file);
    } catch {
      return false; // it has ended meanwhile
    }
  }).map(({ name }) => name);
}

Deno.test("start: inherited descriptors are closed", async () => {
  await using place = new Place();
  await using bench = new Bench();
  await using machine = await LOCAL.open(place);
  const file = place.path("left-open");
  Deno.writeTextFileSync(file, "");
  const executor = leaking(machine, file);
  const controller = processController({ ...machine, executor }, place.shell("svc", LOOP));
  await controller.start();
  const layout = hostLayout(bench.root, "web");
  const lock = { ttlSeconds: 60, deploymentId: "d", since: "now", owner: "me" };
  const nothing = { releaseDir: "", sha256: "", user: "", serviceType: "" };
  const place_ = { layout, token: "t" };
  const query = { ...nothing, commands: [], libraries: [] };
  const taken = await executor.run(acquireCommand(place_, lock, query as never));
  assert.match(taken.stdout, /@facts/, taken.stderr);
  await untilPasses(() => assert.deepEqual(holders(file), []));
  await executor.run(releaseCommand(place_));
  await controller.stop();
});

Deno.test("trace reader: recognises a reused descriptor", () => {
  const trace = [
    "10 clone(child_stack=NULL) = 20",
    "20 setresuid(65534, 65534, 65534) = 0",
    "20 clone(child_stack=NULL) = 30",
    '30 symlink("x", "/data/mine") = 0',
    "20 +++ exited with 0 +++",
    "10 clone(child_stack=NULL) = 20",
    '20 openat(AT_FDCWD</>, "/data/roots", O_WRONLY) = 3',
    "20 +++ killed by SIGKILL +++",
    // Seen before its parent's call returns.
    "30 clone(child_stack=NULL <unfinished ...>",
    '20 unlink("/data/mine") = 0',
    "30 <... clone resumed>) = 20",
  ].join("\n");
  assert.deepEqual(rootTouches(trace, ["/data"]), [
    '20 openat(AT_FDCWD</>, "/data/roots", O_WRONLY) = 3',
  ]);
});

for (const { name: where, component } of MACHINES) {
  Deno.test({
    name: `B1: root touches nothing of the service's user, ${where}`,
    ignore: needs("root", "strace", ...component === null ? [] : [component]),
    async fn() {
      await using place = new Place();
      const secret = new Secret(place.dir);
      const trace = place.path("trace");
      // BusyBox needs so many processes for a look that a trace of them all takes longer than a stop may: there it is
      // the secret alone that tells.
      const traced = where !== "with BusyBox alone";
      const child = await new Deno.Command(traced ? "strace" : "env", {
        args: [
          ...(traced ? [...STRACE, "-o", trace] : []),
          Deno.execPath(),
          "run",
          "-A",
          "--quiet",
          new URL("./hostile_user_child.ts", import.meta.url).pathname,
          JSON.stringify({ machine: where, secret: secret.path }),
        ],
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).output();
      const [out, err] = [child.stdout, child.stderr].map((b) => new TextDecoder().decode(b));
      assert.ok(child.success, err);
      secret.assertUntouched();
      const said = JSON.parse(out ?? "");
      assert.ok(!(out ?? "").includes(secret.text), "a file of root's was printed");
      const group = "65534";
      const hello = ["i am nobody " + group + " of 1.0.0", "hello"];
      assert.deepEqual(said.logs, hello);
      assert.deepEqual(said.run, hello);
      assert.deepEqual(said.health, ["ok", "checked by nobody"]);
      for (const line of ["reloaded by nobody", "stopped by nobody"]) {
        assert.ok(said.after.includes(line), `${line}: ${said.after}`);
      }
      assert.equal(said.occupant, true);
      assert.match(said.recovery, /@harness stopped .*\n@harness running /);
      if (!traced) return;
      const [text = "", rest] = (await Deno.readTextFile(trace)).split(`${said.base}/the-end`);
      assert.ok(rest !== undefined, "the trace has an end");
      const dirs = [`${said.base}/log`, `${said.base}/shared`];
      assert.deepEqual(rootTouches(text, dirs), []);
      // The trace has both users, else it shows nothing.
      assert.match(text, /set(re|res)?uid\(65534/);
      assert.ok(text.includes(`${said.base}/log/web.log`), "nothing was planted");
    },
  });
}

for (const { name: where, component, open } of MACHINES) {
  Deno.test({
    name: `B2: no root process has a service's variable, ${where}`,
    ignore: needs("root", "cc", ...component === null ? [] : [component]),
    async fn() {
      await using place = new Place();
      await using machine = await open(place);
      // The library would say that it was loaded, by whomever.
      const told = place.path("told");
      Deno.mkdirSync(told);
      Deno.chmodSync(told, 0o777);
      const source = place.path("evil.c");
      Deno.writeTextFileSync(
        source,
        `#include <stdio.h>
#include <unistd.h>
#include <fcntl.h>
__attribute__((constructor)) static void loaded(void) {
  char name[256];
  snprintf(name, sizeof name, "${told}/%d-%d", (int)geteuid(), (int)getpid());
  close(open(name, O_CREAT | O_WRONLY, 0600));
}
`,
      );
      const built = await new Deno.Command("cc", {
        args: ["-shared", "-fPIC", "-o", place.path("evil.so"), source],
      }).output();
      assert.ok(built.success, new TextDecoder().decode(built.stderr));
      const env = {
        LD_PRELOAD: place.path("evil.so"),
        BASH_ENV: place.path("bash_env"),
        ENV: place.path("bash_env"),
        IFS: "/",
        PS4: `$(touch ${told}/0-ps4)`,
        PATH: `${place.path("evil-bin")}:/usr/bin:/bin`,
        HARNESS_RUN: "forged",
        h_as: "root",
      };
      Deno.mkdirSync(place.path("evil-bin"));
      for (const tool of ["cat", "setpriv", "setsid", "id", "sleep", "grep"]) {
        place.script(
          `evil-bin/${tool}`,
          `#!/bin/sh\n: > ${told}/$(/usr/bin/id -u)-tool-${tool}\nexec /usr/bin/${tool} "$@"\n`,
        );
      }
      place.script("bash_env", `: > ${told}/$(/usr/bin/id -u)-bash`);
      await Deno.writeTextFile(place.path("env"), formatEnvFile(env), { mode: 0o600 });
      const say = (what: string) =>
        place.script(`${what}.sh`, `#!/bin/sh\necho "${what} $(id -u) $HARNESS_RUN $LD_PRELOAD"\n`);
      const spec = place.shell("svc", `echo "start $(id -u)"; ${LOOP}`, {
        envFile: place.path("env"),
        execution: {
          user: "nobody",
          stopArgv: [say("stop")],
          reloadArgv: [say("reload")],
        },
        health: {
          probe: { type: "script", script: say("health") },
          intervalMs: 1000,
          timeoutMs: 20_000,
          retries: 1,
          successes: 1,
          startPeriodMs: 0,
        },
      });
      const controller = processController(machine, spec);
      const { pid, identity } = await controller.start();
      assert.notEqual(identity?.runId, "forged");
      await untilPasses(async () => assert.deepEqual(await controller.logs(5), ["start 65534"]));
      const groups = /^Groups:\s*(.*)$/m.exec(await Deno.readTextFile(`/proc/${pid}/status`))?.[1];
      assert.equal(groups?.trim(), "65534");
      const environ = (await Deno.readTextFile(`/proc/${pid}/environ`)).split("\0");
      for (const line of ["HOME=/nonexistent", "USER=nobody", `HARNESS_RUN=${identity?.runId}`]) {
        assert.ok(environ.includes(line), `${line} in ${environ.join("\n")}`);
      }
      await controller.reload();
      const health = await checkHealth(machine.executor, spec);
      assert.match(health.output ?? "", /^health 65534 [0-9a-f-]{36} \S+evil\.so$/);
      await controller.stop();
      const users = new Set([...Deno.readDirSync(told)].map(({ name }) => name.split("-")[0]));
      assert.deepEqual([...users], ["65534"], "it was loaded by its user alone");
    },
  });
}

for (const { name: where, component, open } of MACHINES) {
  Deno.test({
    name: `start: only descriptors 0, 1 and 2, ${where}`,
    ignore: component !== null && needs(component),
    async fn() {
      await using place = new Place();
      // What a server holds: a lock file, a listener; and what whoever started it has left open.
      using lock = await Deno.open(place.path("lock"), { create: true, write: true });
      await lock.lock(true);
      using _listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      await using machine = await open(place);
      // ls itself has the directory open, as the lowest number that is free.
      const list = (what: string) =>
        place.script(
          `${what}.sh`,
          `#!/bin/sh\nprintf '${what} '; ls /proc/self/fd | tr '\\n' ' '; echo\n`,
        );
      const spec = place.shell("svc", LOOP, {
        execution: { stopArgv: [list("stop")], reloadArgv: [list("reload")] },
        health: {
          probe: { type: "script", script: list("health") },
          intervalMs: 1000,
          timeoutMs: 20_000,
          retries: 1,
          successes: 1,
          startPeriodMs: 0,
        },
      });
      const controller = processController(machine, spec);
      const { pid } = await controller.start();
      const open_ = [...Deno.readDirSync(`/proc/${pid}/fd`)].map((e) => e.name).sort();
      assert.deepEqual(open_, ["0", "1", "2"]);
      const record = await Deno.readTextFile(place.path("run/svc.pid"));
      const keeper = /wrapper=(\d+)/.exec(record)?.[1];
      const kept = [...Deno.readDirSync(`/proc/${keeper}/fd`)].map((e) => e.name);
      // 10 is where a shell keeps the script that it reads; it closes that in what it starts.
      const more = kept.filter((fd) => !["0", "1", "2", "10", "255"].includes(fd));
      assert.deepEqual(more, []);
      await controller.reload();
      const health = await checkHealth(machine.executor, spec);
      await controller.stop();
      const lines = [...await controller.logs(10), health.output ?? ""];
      for (const what of ["reload", "stop", "health"]) {
        const line = lines.find((l) => l.startsWith(what)) ?? "";
        assert.equal(line.trim(), `${what} 0 1 2 3`);
      }
    },
  });
}
