/** Fifty services in five waves on five machines, and everything that goes wrong in between. */
import assert from "node:assert/strict";
import { applyEvent } from "../../src/registry/apply_event.ts";
import type { ServiceEntry } from "../../src/model/service.ts";
import type { RegistryEvent } from "../../src/model/event.ts";
import { RunningCli } from "../helpers/cli.ts";
import { RawClient, untilPasses } from "../helpers/raw_client.ts";
import { needs } from "../helpers/require.ts";
import { type Sshd, startSshd } from "../helpers/sshd.ts";
import { isAlive, Place } from "./fixture.ts";

const WAVES = 5;
const CHAINS = 10;
const KILLED = 10;

/** A server in a process of its own, over the state in `place`. */
async function startServer(
  place: Place,
  hosts: readonly Sshd[],
): Promise<{ cli: RunningCli; client: RawClient }> {
  const known = await Promise.all(hosts.map((host) => Deno.readTextFile(host.knownHostsFile)));
  await Deno.writeTextFile(place.path("known_hosts"), known.join(""));
  const cli = new RunningCli([
    ...["serve", "--listen", "127.0.0.1:0", "--state-dir", place.path("state")],
    ...["--identity", hosts[0]?.identityFile ?? "", "--known-hosts", place.path("known_hosts")],
    ...["--install-root", place.path("opt"), "--allow-unauthenticated"],
  ]);
  await cli.until(({ stdout }) => /listening on ws:\S+/.test(stdout));
  const url = /ws:\S+/.exec(cli.stdout)?.[0] ?? "";
  return { cli, client: await RawClient.ready(url, { deadlineMs: 120_000 }) };
}

function entryOf(place: Place, wave: number, chain: number, host: Sshd): Record<string, unknown> {
  const name = `w${wave}-c${chain}`;
  return {
    name,
    version: "1.0.0",
    execution: {
      type: "managed_process",
      command: "/bin/sh",
      args: ["-c", `: ${place.dir}/${name}; sleep 86400; :`],
    },
    location: { type: "remote", host: host.host, ssh_user: host.user, ssh_port: host.port },
    depends_on: wave === 1 ? [] : [`w${wave - 1}-c${chain}`],
  };
}

const pidOf = (entry: ServiceEntry) =>
  entry.execution.type === "managed_process" ? entry.execution.pid : null;

/** The listener of an sshd and the connections it serves. */
async function sshdPids(host: Sshd): Promise<number[]> {
  const pids = [host.pid];
  for await (const { name } of Deno.readDir("/proc")) {
    const stat = /^\d+$/.test(name)
      ? await Deno.readTextFile(`/proc/${name}/stat`).catch(() => "")
      : "";
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    if (parent === host.pid) pids.push(Number(name));
  }
  return pids;
}

function signal(pids: readonly number[], name: Deno.Signal): void {
  for (const pid of pids) {
    assert.ok(pid > 1, "a service without a process");
    try {
      Deno.kill(pid, name);
    } catch {
      // A connection that has ended in the meantime.
    }
  }
}

/** A random choice of \`count\`, reported so that a failure can be read. */
function choose<T>(from: readonly T[], count: number): T[] {
  return from.map((value) => ({ value, key: Math.random() })).sort((a, b) => a.key - b.key)
    .slice(0, count).map(({ value }) => value);
}

/** Carries an action out on one wave's services, and with them on what they need or what needs them. */
async function actOnAll(client: RawClient, wave: string, action: "start" | "stop"): Promise<void> {
  const ids = Array.from(
    { length: CHAINS },
    (_, chain) =>
      client.ask("service_action", { name: `${wave}-c${chain}`, action, cascade: true }),
  );
  for (const id of ids) {
    const answer = await client.take((frame) => frame["id"] === id, id);
    assert.ok("data" in answer, JSON.stringify(answer));
  }
}

/** Every event from the beginning, folded. */
async function replay(
  client: RawClient,
  epoch: string,
  seq: number,
): Promise<Map<string, ServiceEntry>> {
  const mirror = new Map<string, ServiceEntry>();
  const answer = await client.call("subscribe", { since: { epoch, seq: 0 } });
  assert.equal(answer["resumed"], "replayed");
  let last = 0;
  while (last < seq) {
    const event = await client.event();
    if (typeof event["seq"] !== "number" || event["event"] === "bookmark") continue;
    assert.equal(event["seq"], last + 1, "no gap in the history");
    last = event["seq"];
    applyEvent(mirror, event as unknown as RegistryEvent);
  }
  return mirror;
}

Deno.test({
  name: "scenario: fifty services on five machines agree after faults",
  ignore: needs("sshd"),
  async fn() {
    await using place = new Place();
    await using stack = new AsyncDisposableStack();
    const hosts: Sshd[] = [];
    for (let i = 0; i < 5; i++) {
      hosts.push(
        stack.use(await startSshd(hosts[0] === undefined ? {} : { sameUserKeyAs: hosts[0] })),
      );
    }
    const hostAt = (wave: number, chain: number) => hosts[(wave + chain) % hosts.length] as Sshd;
    const first = await startServer(place, hosts);
    for (let wave = 1; wave <= WAVES; wave++) {
      for (let chain = 0; chain < CHAINS; chain++) {
        const service = entryOf(place, wave, chain, hostAt(wave, chain));
        await first.client.call("register_service", { service });
      }
    }
    await actOnAll(first.client, `w${WAVES}`, "start");
    const list = async (client: RawClient) =>
      await client.call("list_services") as unknown as ServiceEntry[];
    const before = await list(first.client);
    assert.equal(before.filter((entry) => entry.state === "running").length, WAVES * CHAINS);

    const paused = hosts[2] as Sshd;
    const frozen = await sshdPids(paused);
    signal(frozen, "SIGSTOP");
    const killed = choose(before, KILLED);
    signal(killed.map((entry) => pidOf(entry) ?? 0), "SIGKILL");
    first.cli.kill("SIGKILL");
    await first.cli.end();
    await first.client.closed;

    const second = await startServer(place, hosts);
    const ids = new Set(killed.map((entry) => entry.id));
    const away = (entry: ServiceEntry) =>
      entry.location.type === "remote" && entry.location.ssh_port === paused.port;
    await untilPasses(async () => {
      const now = await list(second.client);
      for (const entry of now.filter((entry) => ids.has(entry.id) && !away(entry))) {
        assert.equal(entry.state, "failed", entry.id);
      }
      for (const entry of now.filter(away)) {
        assert.equal(entry.state, "running", "away is not failed");
      }
    }, 90_000);
    signal(frozen, "SIGCONT");
    await untilPasses(async () => {
      for (const entry of await list(second.client)) {
        assert.equal(entry.state, ids.has(entry.id) ? "failed" : "running", entry.id);
      }
    }, 90_000);

    const after = await list(second.client);
    for (const entry of after) {
      const earlier = before.find(({ id }) => id === entry.id);
      if (ids.has(entry.id)) {
        assert.match(entry.state_reason ?? "", /ended by SIGKILL/, entry.id);
        assert.equal(await isAlive((earlier && pidOf(earlier)) ?? 0), false);
      } else {
        assert.equal(pidOf(entry), earlier && pidOf(earlier), `${entry.id} was not restarted`);
        assert.ok(await isAlive(pidOf(entry) ?? 0), entry.id);
      }
    }
    second.client.drain();
    await using reader = await RawClient.connect(second.client.socket.url, { deadlineMs: 60_000 });
    const { epoch, seq } = (await reader.next())["data"];
    const mirror = await replay(reader, epoch, seq);
    const settled = await list(second.client);
    assert.deepEqual(
      settled.map(({ id }) => mirror.get(id)),
      settled,
      "the history gives the registry's state",
    );

    await actOnAll(second.client, "w1", "stop");
    for (const entry of await list(second.client)) {
      assert.notEqual(entry.state, "running", entry.id);
    }
    await second.client.close();
    signal([second.cli.pid], "SIGTERM");
    const ended = await second.cli.end();
    assert.equal(ended.code, 0, ended.stderr);
  },
});
