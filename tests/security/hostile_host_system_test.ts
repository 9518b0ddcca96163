/**
 * A host that was taken over: whatever its shell prints, or its bookkeeping holds, the server goes on, other hosts get
 * their release, memory stays bounded, and nothing of it reaches a terminal or forges a line of a log.
 */
import assert from "node:assert/strict";
import { Bench } from "../deploy/support.ts";
import {
  type CliOptions,
  type CliResult,
  runCli,
  startServer,
  type TestServer,
} from "../helpers/cli.ts";
import { eventually, type Frame, RawClient } from "../helpers/raw_client.ts";
import { needs } from "../helpers/require.ts";
import { type Sshd, startSshd } from "../helpers/sshd.ts";
import { assertClean, HOSTILE, STYLE } from "./hostile_text.ts";

const ignore = needs("sshd");

/** What the program may hold beyond its size at rest, in MiB: far less than any of these hosts sends. */
const MEMORY_MIB = 200;

/** Facts as the questions of a deployment are answered, every value hostile, and the record that follows. */
const facts = (record: string) =>
  [
    "@harness",
    "@held",
    "@refused",
    "@facts",
    "arch=x86_64\\033[2J",
    "uid=0",
    "login=\\033]0;title\\007",
    "place=\\342\\200\\256",
    "free_kb=999999999999999999999",
    "same_fs=yes",
    "writable=yes",
    "user=yes",
    "missing_command=\\033[31mforged",
    `@state`,
    record,
  ].join("\\n");

/** What the login shell of the host does in place of a command. `$SSH_ORIGINAL_COMMAND` is what it was asked for. */
const SHELLS: Record<string, string> = {
  "prints without end": `exec yes "$(printf '@facts\\n\\033[2Jforged')"`,
  "prints one line without end": "exec cat /dev/zero",
  "prints errors without end": "exec yes forged >&2",
  "prints both without end": "yes forged >&2 & exec yes",
  "never answers": "exec sleep 1000",
  "answers and never ends": `printf '${facts("{}")}'; exec sleep 1000`,
  "closes the connection": "kill -9 $PPID",
  "kills itself": "kill -9 $$",
  "prints controls": `cat "$0.text"; cat "$0.text" >&2; exit 3`,
  "prints controls around an honest answer":
    `cat "$0.text"; sh -c "$SSH_ORIGINAL_COMMAND"; s=$?; cat "$0.text"; exit $s`,
  "says yes to everything": "exit 0",
  "forges answers": `printf '${facts('{"format":1,"service":"web","releases":[null,1,"x"]}')}'`,
  "forges a deep record": `printf '${facts("")}\\n'; head -c 3000000 /dev/zero | tr '\\0' '['`,
  "forges a huge record": `printf '${facts("")}\\n"'; head -c 300000000 /dev/zero | tr '\\0' 'x'`,
};

/** Shells that say nothing more and do not end: their hosts go down when the others are done, and do not come back. */
const SILENT = /never/;

/** Shells that answer truly, with something around it: what they say may be read, and a release may run there. */
const HONEST = /honest/;

/** Records that an honest shell reads from the bookkeeping of a host. */
const record = (releases: unknown, more: object = {}) =>
  JSON.stringify({ format: 1, service: "web", active: null, pending: null, releases, ...more });
const RECORDS: Record<string, string> = {
  "deep": `{"format":1,"service":"web","releases":${"[".repeat(500_000)}`,
  "large": record("x".repeat(30_000_000)),
  "empty releases": record([null, {}, [], 1]),
  "no types": record({ length: 1 }, { active: {}, pending: 7 }),
  "no manifest": record([{ id: HOSTILE, version: HOSTILE, status: "good", spec: {}, run: {} }], {
    active: HOSTILE,
  }),
  "forged pending": record([], { pending: { to: null, from: HOSTILE, deployment_id: HOSTILE } }),
  "prototype": `{"format":1,"service":"web","releases":[],"__proto__":{"active":"x"}}`,
  "other service": record([], { service: HOSTILE }),
  "later format": record([], { format: HOSTILE }),
};

interface Hosts extends AsyncDisposable {
  good: Sshd;
  bad: Map<string, Sshd>;
  knownHosts: string;
}

/** A host that works, and one for each hostile shell. */
async function startHosts(bench: Bench): Promise<Hosts> {
  await using stack = new AsyncDisposableStack();
  const good = stack.use(await startSshd());
  const bad = new Map<string, Sshd>();
  const starting = Object.entries(SHELLS).map(async ([name, text], at) => {
    const file = `${bench.dir}/shell-${at}`;
    await Deno.writeTextFile(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    await Deno.writeTextFile(`${file}.text`, `${HOSTILE}\n`);
    await Deno.writeTextFile(`${file}.banner`, `${HOSTILE}\n`);
    const config = [`ForceCommand ${file}`, `Banner ${file}.banner`];
    bad.set(name, stack.use(await startSshd({ config, sameUserKeyAs: good })));
  });
  const started = await Promise.allSettled(starting);
  for (const result of started) if (result.status === "rejected") throw result.reason;
  const knownHosts = `${bench.dir}/known_hosts`;
  const files = [good, ...bad.values()].map((sshd) => Deno.readTextFileSync(sshd.knownHostsFile));
  await Deno.writeTextFile(knownHosts, files.join(""));
  const all = stack.move();
  return { good, bad, knownHosts, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** A server that logs in to the hosts, and how to talk to it. */
class Attacked implements AsyncDisposable {
  readonly server: TestServer;
  readonly client: RawClient;
  readonly options: CliOptions;
  #peakMib = 0;
  readonly #idleMib: number;
  readonly #timer: ReturnType<typeof setInterval>;

  private constructor(server: TestServer, client: RawClient) {
    this.server = server;
    this.client = client;
    this.options = {
      env: { HARNESS_URL: server.url, HARNESS_TOKEN_FILE: `${server.stateDir}/token` },
    };
    this.#idleMib = this.#rssMib();
    this.#timer = setInterval(() => this.#peakMib = Math.max(this.#peakMib, this.#rssMib()), 50);
  }

  static async start(good: Sshd, knownHosts: string): Promise<Attacked> {
    const tokenFile = `${good.dir}/token`;
    const token = crypto.randomUUID() + crypto.randomUUID();
    await Deno.writeTextFile(tokenFile, token, { mode: 0o600 });
    const server = await startServer([
      ...["--identity", good.identityFile, "--known-hosts", knownHosts, "--ssh-config", "none"],
      ...["--token-file", tokenFile, "--log-level", "debug"],
    ]);
    await Deno.copyFile(tokenFile, `${server.stateDir}/token`);
    const headers = { authorization: `Bearer ${token}` };
    const client = await RawClient.ready(server.url, { headers, deadlineMs: 180_000 });
    return new Attacked(server, client);
  }

  /** Memory beyond that at rest, at most. */
  get extraMib(): number {
    return this.#peakMib - this.#idleMib;
  }

  /** Deploys everywhere, to the end. `onEnd` is called with each host that has ended, and those that ended before. */
  async deploy(
    file: string,
    targets: object[],
    onEnd: (ended: ReadonlySet<string>) => Promise<void> = () => Promise.resolve(),
  ): Promise<Frame> {
    await this.client.call("subscribe", { events: ["deployment_progress"] });
    const { deployment_id } = await this.client.call("deploy_package", {
      package: file,
      targets,
      strategy: { parallel: targets.length, max_failures: targets.length },
    });
    const ended = new Set<string>();
    for (;;) {
      const { data } = await this.client.event("deployment_progress");
      if (data.deployment_id !== deployment_id || data.step !== "finish") continue;
      if (data.host === null) break;
      await onEnd(ended.add(data.host));
    }
    let deployment: Frame = {};
    await eventually(
      async () => {
        deployment = await this.client.call("get_deployment", { deployment_id });
        return deployment["finished_at"] !== null;
      },
      "the deployment is finished",
      120_000,
    );
    return deployment;
  }

  /** What every command shows of it is text, and the server is well. */
  async check(deployment: Frame): Promise<void> {
    const { deployment_id: id } = deployment;
    for (const words of [["services"], ["deployments"], ["deployments", "show", id]]) {
      for (const more of [[], ["--json"]]) {
        const { code, stdout, stderr } = await runCli([...words, ...more], {
          ...this.options,
          env: { ...this.options.env, FORCE_COLOR: "1" },
        });
        assert.ok(code === 0 || words[1] === "show", stderr);
        assertClean((stdout + stderr).replaceAll(STYLE, ""), words.join(" "));
      }
    }
    const health = await fetch(`${this.server.url.replace(/^ws/, "http")}/readyz`);
    assert.equal((await health.json()).status, "ready");
    const log = this.server.cli.stdout + this.server.cli.stderr;
    assertClean(log, "log");
    for (const line of this.server.cli.stderr.trimEnd().split("\n")) {
      assert.match(line, /^\d{4}-\d\d-\d\dT[\d:.]+Z (?:DEBUG|INFO|WARN|ERROR) /);
    }
    assert.ok(this.extraMib < MEMORY_MIB, `${this.extraMib} MiB more than at rest`);
  }

  #rssMib(): number {
    try {
      const status = Deno.readTextFileSync(`/proc/${this.server.cli.pid}/status`);
      return Math.round(Number(/VmRSS:\s*(\d+)/.exec(status)?.[1] ?? 0) / 1024);
    } catch {
      return 0; // It has ended: its next answer does not come.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.client[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }
}

/** Makes `web`, healthy once `gate` is there; answers its file. */
async function makeWeb(bench: Bench, gate = "/"): Promise<string> {
  const made = await bench.makePackage({
    yaml: "health: {script: scripts/ok.sh, interval: 500ms, retries: 1000, start_period: 600s}\n",
    files: { "scripts/ok.sh": `#!/bin/sh\n[ -e '${gate}' ] || exit 2\n` },
  });
  const path = `${bench.dir}/${made.file}`;
  await Deno.writeFile(path, await made.open());
  return path;
}

/** Uploads a package, and returns its name. */
async function push(path: string, attacked: Attacked): Promise<string> {
  const pushed = await runCli(["package", "push", path], attacked.options);
  assert.equal(pushed.code, 0, pushed.stderr);
  return path.replace(/.*\//, "");
}

/** Each host with an install root of its own, the first one's that of the bench. */
function targetsOf(bench: Bench, hosts: ReadonlyArray<readonly [string, Sshd]>): object[] {
  return hosts.map(([, { host, port, user }], at) => {
    const install_root = at === 0 ? bench.root : `${bench.dir}/root-${at}`;
    Deno.mkdirSync(install_root, { recursive: true });
    return { host, port, user, install_root };
  });
}

/** Runs a command as text and as JSON at once: it ends, and shows nothing that a terminal would obey. */
async function bothWays(words: string[]): Promise<CliResult[]> {
  const runs = [[], ["--json"]].map((more) =>
    runCli([...words, ...more], { env: { FORCE_COLOR: "1" } })
  );
  const results = await Promise.all(runs);
  for (const { stdout, stderr } of results) {
    assertClean((stdout + stderr).replaceAll(STYLE, ""), words[0] ?? "");
    assert.doesNotMatch(stderr, /\[internal\]|Uncaught|panicked/);
  }
  return results;
}

const sshFlags = (hosts: Hosts) => [
  ...["--identity", hosts.good.identityFile, "--known-hosts", hosts.knownHosts],
  ...["--ssh-config", "none"],
];

const hostFlags = (hosts: Iterable<Sshd>) =>
  [...hosts].flatMap(({ user, port }) => ["--host", `${user}@127.0.0.1:${port}`]);

Deno.test({
  name: "hostile host: its shell harms neither server nor others",
  ignore,
  fn: async () => {
    await using bench = new Bench();
    await using hosts = await startHosts(bench);
    await using attacked = await Attacked.start(hosts.good, hosts.knownHosts);
    const gate = `${bench.dir}/others-have-ended`;
    const file = await push(await makeWeb(bench, gate), attacked);
    const all = [["good", hosts.good] as const, ...hosts.bad];
    const others = [...hosts.bad].filter(([name]) => !SILENT.test(name) && !HONEST.test(name));
    const silent = [...hosts.bad].filter(([name]) => SILENT.test(name));
    const label = ({ user, host, port }: Sshd) => `${user}@${host}:${port}`;
    const deployment = await attacked.deploy(file, targetsOf(bench, all), async (ended) => {
      if (!others.every(([, sshd]) => ended.has(label(sshd)))) return;
      // Until now the good host's deployment was under way and its lock renewed, as long as any of the others prints.
      await Deno.writeTextFile(gate, "");
      for (const [, sshd] of silent) {
        await sshd.stopListening();
        await sshd.killConnections();
      }
    });
    const results = new Map<string, Frame>(deployment["hosts"].map((h: Frame) => [h["host"], h]));
    const good = results.get(label(hosts.good));
    assert.equal(good?.["outcome"], "ok", JSON.stringify(deployment));
    for (const [name, sshd] of hosts.bad) {
      const { outcome, error } = results.get(label(sshd)) ?? {};
      if (HONEST.test(name)) continue;
      assert.match(outcome, /^(?:failed|unreachable)$/, `${name}: ${outcome}`);
      if (!name.includes("without end")) continue;
      assert.match(error.message, /printed more than 8 MiB and was killed; check what/, name);
    }
    assert.deepEqual(bench.running(), ["1.0.0"]);
    await attacked.check(deployment);
  },
});

Deno.test({
  name: "hostile host: its records harm neither server nor others",
  ignore,
  fn: async () => {
    await using bench = new Bench();
    await using sshd = await startSshd();
    await using attacked = await Attacked.start(sshd, sshd.knownHostsFile);
    const file = await push(await makeWeb(bench), attacked);
    const { host, port, user } = sshd;
    const names = Object.keys(RECORDS);
    const targets = [bench.root, ...names.map((_, at) => `${bench.dir}/hostile-${at}`)];
    for (const [at, name] of names.entries()) {
      const base = `${targets[at + 1]}/.harness/web`;
      await Deno.mkdir(base, { recursive: true });
      await Deno.writeTextFile(`${base}/state.json`, RECORDS[name] ?? "");
      await Deno.symlink("/etc", `${base}/current`);
    }
    let last: Frame = {};
    for (const [at, install_root] of targets.entries()) {
      const deployment = await attacked.deploy(file, [{ host, port, user, install_root }]);
      const [{ outcome, error }] = deployment["hosts"];
      const what = `${names[at - 1] ?? "good"}: ${JSON.stringify(deployment)}`;
      if (at === 0) assert.equal(outcome, "ok", what);
      else assert.ok(["ok", "failed", "rolled_back"].includes(outcome), what);
      assert.notEqual(error?.code, "internal", what);
      last = deployment;
    }
    await attacked.check(last);
    assert.deepEqual(bench.running(), ["1.0.0"]);
  },
});

Deno.test({
  name: "hostile host: doctor ends, and its text is text",
  ignore,
  fn: async () => {
    await using bench = new Bench();
    await using hosts = await startHosts(bench);
    const loud = [...hosts.bad].filter(([name]) => !SILENT.test(name)).map(([, sshd]) => sshd);
    for (const { code } of await bothWays(["doctor", ...hostFlags(loud), ...sshFlags(hosts)])) {
      assert.notEqual(code, 0);
    }
  },
});

Deno.test({
  name: "hostile host: a deployment without a server ends",
  ignore,
  fn: async () => {
    await using bench = new Bench();
    await using hosts = await startHosts(bench);
    const path = await makeWeb(bench);
    const bad = [...hosts.bad].filter(([name]) => !SILENT.test(name) && !HONEST.test(name));
    const quiet = bad.filter(([name]) => !name.includes("without end"));
    const root = `${bench.dir}/honest`;
    await Deno.mkdir(root);
    const direct = ["deploy", path, "--direct", "--parallel", "20", "--max-failures", "20"];
    const run = (install: string, to: Array<readonly [string, Sshd]>, more: string[]) => {
      const flags = [
        "--install-root",
        install,
        ...sshFlags(hosts),
        ...hostFlags(to.map((h) => h[1])),
      ];
      return runCli([...direct, ...flags, ...more], { env: { FORCE_COLOR: "1" } });
    };
    const good = ["good", hosts.good] as const;
    const asText = await run(bench.root, [good, ...bad], []);
    assert.match(asText.stdout + asText.stderr, /printed more than 8 MiB/);
    assert.deepEqual(bench.running(), ["1.0.0"]);
    const asJson = await run(bench.root, [good, ...quiet], ["--json"]);
    for (const { code, stderr } of [asText, asJson]) assert.equal(code, 3, stderr);
    const honest = [...hosts.bad].filter(([name]) => HONEST.test(name));
    const noisy = await run(root, honest, ["--json"]);
    for (const { stdout, stderr } of [asText, asJson, noisy]) {
      assertClean((stdout + stderr).replaceAll(STYLE, ""), "deploy --direct");
      assert.doesNotMatch(stderr, /\[internal\]|Uncaught|panicked/);
    }
    for (const version of bench.running("web", root)) assert.equal(version, "1.0.0");
  },
});
