import assert from "node:assert/strict";
import { runCli, startServer } from "../helpers/cli.ts";
import { Terminal, type TerminalEnd } from "../helpers/pty.ts";
import { eventually } from "../helpers/raw_client.ts";
import { needs } from "../helpers/require.ts";
import { fixture } from "./deploy_fixture.ts";

const CTRL_C = "\x03";

/** Nothing of the user's terminal is broken: modes, cursor, and no sequence but colours and redrawn lines. */
async function assertSane(terminal: Terminal, code: number): Promise<TerminalEnd> {
  const end = await terminal.ended;
  assert.equal(end.code, code, terminal.scrollback);
  assert.deepEqual(end.modes, { echo: true, canonical: true });
  assert.equal(terminal.isCursorVisible, true);
  // deno-lint-ignore no-control-regex -- all that begins with an escape
  for (const [sequence] of terminal.output.matchAll(/\x1b[^A-Za-z]*[A-Za-z]?/g)) {
    // deno-lint-ignore no-control-regex -- colours, up, erase
    assert.match(sequence, /^\x1b\[\d*[mAKJ]$/);
  }
  return end;
}

const isUnhealthy = ({ screen }: Terminal) => /health +\d+s/.test(screen);

/** A directory to deploy below, with version 1.0.0 that runs, and what stops it at the end. */
async function installRoot(it: Awaited<ReturnType<typeof fixture>>, name: string) {
  const root = `${it.dir}/${name}`;
  await Deno.mkdir(root);
  const flags = ["--direct", "--local", "--install-root", root];
  const first = await runCli(["deploy", it.file("1.0.0"), ...flags]);
  assert.equal(first.code, 0, first.stderr);
  const base = `${root}/.harness/svc`;
  return {
    flags,
    /** Whether the version before is there and nothing of the deployment is left. */
    async isPutBack(): Promise<boolean> {
      const current = await Deno.readLink(`${base}/current`);
      const names = [...Deno.readDirSync(base)].map(({ name }) => name);
      return /svc-1\.0\.0/.test(current) && !names.some((name) => /lock|tmp|staging/.test(name));
    },
  };
}

Deno.test("Ctrl-C: deploy --direct puts hosts back, in a terminal", {
  ignore: needs("python3"),
}, async (t) => {
  await using it = await fixture();
  const interrupted = async (name: string, how: (terminal: Terminal) => Promise<void>) => {
    const root = await installRoot(it, name);
    const terminal = Terminal.program(["deploy", it.file("4.0.0"), ...root.flags]);
    await terminal.until(isUnhealthy);
    await how(terminal);
    return { ...root, terminal };
  };
  await t.step("once: puts back and waits for it", async () => {
    const { terminal, isPutBack } = await interrupted("once", (it) => it.type(CTRL_C));
    await using _ = terminal;
    await assertSane(terminal, 130);
    assert.match(terminal.screen, /^cancelling: hosts in flight return/m);
    assert.match(terminal.screen, /^local +cancelled +health +\d+s$/m);
    assert.match(terminal.screen, /: deploy of svc 4\.0\.0 cancelled$/m);
    assert.ok(await isPutBack());
  });
  await t.step("SIGTERM and a closed terminal do the same", async () => {
    for (const [signal, code] of [["SIGTERM", 143], ["SIGHUP", 129]] as const) {
      const { terminal, isPutBack } = await interrupted(signal, (it) => it.kill(signal));
      await using _ = terminal;
      await assertSane(terminal, code);
      assert.ok(await isPutBack(), signal);
    }
  });
  await t.step("twice: gives up, and the watchdog puts back", async () => {
    const { terminal, isPutBack } = await interrupted("twice", async (it) => {
      await it.type(CTRL_C);
      await it.until(({ screen }) => screen.includes("cancelling"));
      await it.type(CTRL_C);
    });
    await using _ = terminal;
    await assertSane(terminal, 130);
    // A host may be back before the second one.
    if (!/deploy of svc 4\.0\.0 cancelled/.test(terminal.screen)) {
      assert.match(terminal.screen, /^gave up waiting for local: its watchdog puts/m);
    }
    await eventually(isPutBack, "the watchdog puts the version before back", 120_000);
  });
  await t.step("three times in a row: ends with a sane terminal", async () => {
    const { terminal } = await interrupted("thrice", (it) => it.type(CTRL_C.repeat(3)));
    await using _ = terminal;
    await assertSane(terminal, 130);
  });
});

Deno.test("Ctrl-C: a deployment of the server, in a terminal", {
  ignore: needs("python3"),
}, async (t) => {
  await using it = await fixture();
  await using server = await startServer(["--install-root", it.root]);
  const env = { HARNESS_URL: server.url };
  const run = (...args: string[]) => runCli(args, { env });
  const statusOf = async (id: string) =>
    JSON.parse((await run("deployments", "show", id, "--json")).stdout).status;
  const idOf = ({ screen }: Terminal) => /deployments follow (d-\S+)/.exec(screen)?.[1] ?? "";
  const cancelled = (id: string) =>
    eventually(async () => await statusOf(id) === "cancelled", `${id} is cancelled`);
  try {
    assert.equal((await run("deploy", it.file("1.0.0"), "--local")).code, 0);
    await t.step("once: prints the id and how to go on", async () => {
      await using terminal = Terminal.program(["deploy", it.file("4.0.0"), "--local"], { env });
      await terminal.until(isUnhealthy);
      await terminal.type(CTRL_C);
      await assertSane(terminal, 130);
      const id = idOf(terminal);
      assert.match(terminal.screen, new RegExp(`^${id} continues in the server$`, "m"));
      assert.match(
        terminal.screen,
        new RegExp(`^ {2}cancel it: .* deployments cancel ${id}$`, "m"),
      );
      assert.equal(await statusOf(id), "running");
      // Whoever follows it only stops following.
      await using follower = Terminal.program(["deployments", "follow", id], { env });
      await follower.until(isUnhealthy);
      await follower.type(CTRL_C);
      await assertSane(follower, 130);
      assert.equal(idOf(follower), id);
      assert.doesNotMatch(follower.screen, /Ctrl-C again/);
      assert.equal(await statusOf(id), "running");
      await run("deployments", "cancel", id);
      await cancelled(id);
    });
    for (const times of [2, 3]) {
      await t.step(`${times} times: cancels it`, async () => {
        await using terminal = Terminal.program(["deploy", "svc@4.0.0", "--local"], { env });
        await terminal.until(isUnhealthy);
        await terminal.type(CTRL_C);
        await terminal.until(({ screen }) => screen.includes("press Ctrl-C again within 3s"));
        await terminal.type(CTRL_C.repeat(times - 1));
        await assertSane(terminal, 130);
        const id = idOf(terminal);
        if (times === 2) {
          assert.match(terminal.screen, new RegExp(`^${id} is being cancelled: hosts in`, "m"));
          assert.match(terminal.screen, /^local +cancelled +health +\d+s$/m);
        } // Three keys in a moment end the program, perhaps before it could ask the server.
        else if (await statusOf(id) === "running") await run("deployments", "cancel", id);
        await cancelled(id);
      });
    }
    await t.step("rollback: stops following it", async () => {
      assert.equal((await run("deploy", it.file("2.0.0"), "--local")).code, 0);
      await using terminal = Terminal.program(["rollback", "svc", "--local"], { env });
      await terminal.until(({ screen }) => /local +(connect|lock|start|health)/.test(screen));
      await terminal.type(CTRL_C);
      const { code } = await terminal.ended;
      // It may have ended before the key came.
      assert.ok(code === 130 || code === 0, terminal.scrollback);
      await assertSane(terminal, code);
    });
    for (const args of [["watch"], ["watch", "--events"], ["service", "logs", "svc", "--follow"]]) {
      await t.step(`${args.join(" ")}: ends`, async () => {
        await using terminal = Terminal.program(args, { env });
        await terminal.until(({ screen }) => /svc|watching|started/.test(screen));
        await terminal.type(CTRL_C);
        const { code, modes } = await terminal.ended;
        assert.equal(code, 130, terminal.scrollback);
        assert.deepEqual(modes, { echo: true, canonical: true });
        assert.equal(terminal.isCursorVisible, true);
      });
    }
    await t.step("upload: nothing is deployed", async () => {
      await using proxy = withoutUploads(server.url);
      await using terminal = Terminal.program(["deploy", it.file("3.0.0"), "--local"], {
        env: { ...env, HARNESS_URL: proxy.url, HARNESS_TOKEN_FILE: `${server.stateDir}/token` },
      });
      await terminal.until(({ screen }) => screen.includes("uploading svc-3.0.0"));
      await proxy.held;
      await terminal.type(CTRL_C);
      await assertSane(terminal, 130);
      assert.match(terminal.screen, /^interrupted before the deployment: nothing was deployed$/m);
    });
  } finally {
    await run("service", "stop", "svc");
  }
});

Deno.test("Ctrl-C: serve shuts down in order, in a terminal", {
  ignore: needs("python3"),
}, async () => {
  const dir = await Deno.makeTempDir();
  await using terminal = Terminal.program([
    ...["serve", "--listen", "127.0.0.1:0", "--state-dir", dir],
  ]);
  await terminal.until(({ scrollback }) => scrollback.includes("listening on"));
  await terminal.type(CTRL_C);
  await assertSane(terminal, 0);
  await Deno.remove(dir, { recursive: true });
});

/** Passes everything on to the server but uploads, which it holds. */
function withoutUploads(target: string) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { hostname, port } = new URL(target);
  const { promise: held, resolve: hold } = Promise.withResolvers<void>();
  const open = new Set<Deno.Conn>();
  const pass = async (client: Deno.Conn) => {
    open.add(client);
    const buffer = new Uint8Array(65_536);
    const length = await client.read(buffer) ?? 0;
    const first = buffer.subarray(0, length);
    if (new TextDecoder().decode(first).startsWith("PUT ")) return hold();
    const upstream = await Deno.connect({ hostname, port: Number(port) });
    open.add(upstream);
    await upstream.write(first);
    await Promise.allSettled([
      client.readable.pipeTo(upstream.writable),
      upstream.readable.pipeTo(client.writable),
    ]);
  };
  const accepting = (async () => {
    for await (const client of listener) void pass(client).catch(() => {});
  })();
  return {
    url: `ws://127.0.0.1:${listener.addr.port}`,
    held,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      for (const connection of open) {
        try {
          connection.close();
        } catch {
          // It has ended.
        }
      }
    },
  };
}
