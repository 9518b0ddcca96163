import assert from "node:assert/strict";
import type { HarnessError } from "../../src/errors.ts";
import { failure } from "../helpers/rejects.ts";
import { needs } from "../helpers/require.ts";
import { type Sshd, startSshd } from "../helpers/sshd.ts";
import { connectTo, isAlive } from "./machines.ts";
import { TcpProxy } from "./tcp_proxy.ts";
import { eventually } from "../helpers/raw_client.ts";

function facts(error: HarnessError): unknown[] {
  return [error.code, error.details?.host, error.details?.step, error.details?.reason];
}

const ignore = needs("sshd");

/** The sshd as seen through a proxy, with a known_hosts file that knows it there. */
async function throughProxy(sshd: Sshd, proxy: TcpProxy) {
  const knownHostsFile = `${sshd.dir}/kh`;
  await Deno.writeTextFile(knownHostsFile, `[127.0.0.1]:${proxy.port} ${sshd.hostKeys[0]}\n`);
  const { host, user, identityFile } = sshd;
  return { host, user, identityFile, port: proxy.port, knownHostsFile };
}

Deno.test({
  name: "connectSsh: retries after MaxStartups",
  ignore,
  fn: async () => {
    await using sshd = await startSshd({ config: ["MaxStartups 1:100:1"] });
    const blocker = await Deno.connect({ hostname: sshd.host, port: sshd.port });
    await blocker.read(new Uint8Array(100));
    const dropped = await failure(connectTo(sshd));
    assert.deepEqual(facts(dropped), ["unreachable", "127.0.0.1", "handshake", "reset"]);
    await using proxy = new TcpProxy(sshd.port);
    const patient = connectTo(await throughProxy(sshd, proxy), { connectAttempts: 8 });
    await eventually(() => proxy.accepted >= 2, "it was dropped and tried again");
    blocker.close();
    await using machine = await patient;
    assert.equal((await machine.run({ argv: ["echo", "in"] })).stdout, "in\n");
  },
});

Deno.test({
  name: "Executor.run: rejects once the connection is broken",
  ignore,
  fn: async () => {
    await using sshd = await startSshd();
    await using machine = await connectTo(sshd);
    let started = () => {};
    const start = new Promise<void>((resolve) => started = resolve);
    const running = failure(
      machine.run({ script: "echo up; exec sleep 20" }, { onStdout: () => started() }),
    );
    await start;
    await sshd.killConnections();
    assert.deepEqual(facts(await running), ["unreachable", "127.0.0.1", "run", "closed"]);
    const later = await failure(machine.run({ argv: ["true"] }));
    assert.deepEqual(facts(later), ["unreachable", "127.0.0.1", "run", "closed"]);
  },
});

Deno.test({
  name: "Executor.run: detects a network that drops everything",
  ignore,
  fn: async () => {
    await using sshd = await startSshd();
    await using proxy = new TcpProxy(sshd.port);
    const seen = await throughProxy(sshd, proxy);
    await using machine = await connectTo(seen, { keepaliveMs: 1000 });
    let started = () => {};
    const start = new Promise<void>((resolve) => started = resolve);
    const running = failure(
      machine.run({ script: "echo up; exec sleep 20" }, { onStdout: () => started() }),
    );
    await start;
    proxy.stall();
    const error = await running;
    assert.deepEqual(facts(error), ["unreachable", "127.0.0.1", "run", "closed"]);
    assert.match(error.message, /stopped responding/);
  },
});

Deno.test({
  name: "Executor.run: waits where sshd allows fewer sessions",
  ignore,
  fn: async () => {
    await using sshd = await startSshd({ config: ["MaxSessions 2"] });
    await using machine = await connectTo(sshd);
    const runs = Array.from(
      { length: 8 },
      (_, i) => machine.run({ script: `sleep 0.2; echo ${i}` }),
    );
    const outputs = (await Promise.all(runs)).map(({ stdout }) => stdout.trim());
    assert.deepEqual(outputs, ["0", "1", "2", "3", "4", "5", "6", "7"]);

    await using one = await startSshd({ config: ["MaxSessions 1"] });
    await using narrow = await connectTo(one);
    let pid = 0;
    const running = narrow.run({ script: "echo $$; exec sleep 600" }, {
      timeoutMs: 3000,
      onStdout: (chunk) => pid = Number(new TextDecoder().decode(chunk)),
    });
    assert.equal((await failure(running)).code, "timeout");
    assert.equal(isAlive(pid), false, "killed although there was no room for a second session");

    const crowded = Promise.withResolvers<void>();
    const stdin = new ReadableStream<Uint8Array>({
      start: (controller) => void crowded.promise.then(() => controller.close()),
    });
    const background = narrow.run({ argv: ["cat"] }, { stdin, onCrowded: crowded.resolve });
    assert.equal((await narrow.run({ argv: ["echo", "beside"] })).stdout, "beside\n");
    assert.equal((await background).exitCode, 0, "the one in the background has made room");

    await using none = await startSshd({ config: ["MaxSessions 0"] });
    await using shut = await connectTo(none);
    const error = await failure(shut.run({ argv: ["true"] }));
    assert.equal(error.code, "unavailable");
    assert.match(error.message, /MaxSessions/);
  },
});

Deno.test({
  name: "ssh run: start-up output is left out, a refusal is kept",
  ignore,
  fn: async () => {
    const noisy =
      "ForceCommand printf 'Welcome!\\nharness-x 1 1\\n'; echo warning >&2; eval \"$SSH_ORIGINAL_COMMAND\"";
    await using sshd = await startSshd({ config: [noisy] });
    await using machine = await connectTo(sshd);
    const result = await machine.run({ script: "cat; exit 3" }, { stdin: "mine" });
    assert.deepEqual([result.exitCode, result.stdout], [3, "mine"]);

    await using shut = await startSshd({
      config: ["ForceCommand echo This account is closed; exit 1"],
    });
    await using closed = await connectTo(shut);
    const refused = await closed.run({ argv: ["true"] });
    assert.deepEqual([refused.exitCode, refused.stdout], [1, "This account is closed\n"]);
  },
});

Deno.test({
  name: "ssh run: sees an end in the same packet as the start",
  ignore,
  fn: async () => {
    await using sshd = await startSshd();
    await using proxy = new TcpProxy(sshd.port);
    await using machine = await connectTo(await throughProxy(sshd, proxy));
    proxy.gatherMs = 1500;
    const result = await machine.run({ script: "echo quick; exit 5" });
    assert.deepEqual([result.exitCode, result.stdout], [5, "quick\n"]);
    proxy.gatherMs = 0;
  },
});
