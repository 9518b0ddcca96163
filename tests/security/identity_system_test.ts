/**
 * What runs is what was reported: identity of machines, logins, processes, units and containers, on real hosts.
 *
 * The numbers are those of the list of cases that this suite keeps from coming back.
 */
import assert from "node:assert/strict";
import type { Executor } from "../../src/executor/executor.ts";
import type { HostTarget } from "../../src/deploy/plan.ts";
import { Bench, connectTo, run, START } from "../deploy/support.ts";
import { docker, inspect, makeImage, removeAll } from "../helpers/containers.ts";
import { type ControlServer, startControlServer } from "../helpers/control_server.ts";
import { upload } from "../helpers/hello_package.ts";
import { eventually, type Frame, RawClient } from "../helpers/raw_client.ts";
import { needs } from "../helpers/require.ts";
import { startSshd } from "../helpers/sshd.ts";
import { startHost, type TestHost } from "../hosts/hosts.ts";

/** Uploads and deploys a package of that name, and returns how the deployment ended. */
async function deployTo(
  bench: Bench,
  server: ControlServer,
  options: {
    name: string;
    version?: string;
    targets: unknown[];
    start?: string;
    yaml?: string;
    strategy?: Record<string, unknown>;
  },
  // deno-lint-ignore no-explicit-any -- an answer of the wire, as the other tests take it
): Promise<any> {
  const { targets, strategy = {}, ...source } = options;
  const made = await bench.makePackage(source);
  const path = `${bench.dir}/${made.file}`;
  await Deno.writeFile(path, await made.open());
  await using client = await RawClient.ready(server.url, { deadlineMs: 120_000 });
  const file = await upload(server.http, { path });
  await client.call("subscribe", { events: ["deployment_progress"] });
  const { deployment_id } = await client.call("deploy_package", {
    package: file,
    targets,
    strategy,
  });
  for (;;) {
    const { data } = await client.event("deployment_progress");
    if (data.deployment_id === deployment_id && data.host === null) break;
  }
  return await client.call("get_deployment", { deployment_id });
}

/** One line for each process of a service on a host that is the head of its tree: user and version. */
async function copies(host: TestHost, service: string): Promise<string[]> {
  const { stdout } = await host.sh(`
    for p in /proc/[0-9]*; do
      e=$(tr '\\0' '\\n' < $p/environ 2>/dev/null) || continue
      printf '%s\\n' "$e" | grep -qx 'HARNESS_SERVICE=${service}' || continue
      tr '\\0' ' ' < $p/cmdline | grep -q scripts/start.sh || continue
      echo "$(stat -c %U $p) $(printf '%s\\n' "$e" | sed -n 's/^HARNESS_VERSION=//p')"
    done | sort`);
  return stdout.trim().split("\n").filter((line) => line !== "");
}

for (const first of ["with sudo", "without sudo"]) {
  Deno.test({
    name: `A4: a login ${first} first, the other after, share nothing`,
    ignore: needs("docker", "root"),
    async fn() {
      await using bench = new Bench();
      await using host = await startHost();
      await using server = await startControlServer({ dir: bench.dir, sshd: host });
      const login = { host: host.host, port: host.port, user: "deploy" };
      const ee = { name: "ee", targets: [{ ...login, become: "sudo", install_root: "/opt" }] };
      const ff = { name: "ff", targets: [{ ...login, install_root: "/home/deploy/opt" }] };
      for (const one of first === "with sudo" ? [ee, ff] : [ff, ee]) {
        const { status, hosts } = await deployTo(bench, server, { ...one, start: START });
        assert.equal(status, "succeeded", JSON.stringify(hosts));
      }
      await using client = await RawClient.ready(server.url, { deadlineMs: 120_000 });
      const states = async () =>
        (await client.call("list_services") as unknown as { id: string; state: string }[])
          .map(({ id, state }) => `${id} ${state}`);
      assert.deepEqual(await states(), ["ee running", "ff running"]);
      for (const name of ["ee", "ff", "ee"]) {
        await client.call("service_action", { name, action: "restart" });
      }
      assert.deepEqual(await copies(host, "ee"), ["root 1.0.0"]);
      assert.deepEqual(await copies(host, "ff"), ["deploy 1.0.0"]);
      assert.deepEqual(await states(), ["ee running", "ff running"]);
    },
  });
}

/** A target of {@linkcode run}: this login on the host. */
function login(host: TestHost, user: string, more: Partial<HostTarget> = {}): HostTarget {
  return { label: "box", installRoot: "/opt", connect: () => host.connect(user), ...more };
}

for (const kind of ["systemd", "busybox"] as const) {
  Deno.test({
    name: `A2: another user, with or without sudo, is refused (${kind})`,
    ignore: needs("docker", "root"),
    async fn() {
      await using bench = new Bench();
      await using host = await startHost({ kind });
      const one = await bench.makePackage({ name: "svc", version: "1.0.0" });
      const two = await bench.makePackage({ name: "svc", version: "2.0.0" });
      const user = kind === "systemd" ? "deploy" : "root";
      const owner = kind === "systemd" ? "deploy" : "1234";
      assert.equal((await host.sh(`mkdir -p /srv/deploy && chown ${owner} /srv/deploy`)).code, 0);
      // The user's own root: root refuses to go in.
      const own = { installRoot: "/srv/deploy" };
      if (kind === "systemd") {
        const first = await run(bench.plan(one, { hosts: [login(host, user, own)] }));
        assert.equal(first.host.outcome, "ok", JSON.stringify(first.host.error));
      }
      const sudo = { become: user === "root" ? null : "sudo" } as const;
      const second = await run(
        bench.plan(two, { hosts: [login(host, user, { ...own, ...sudo })] }),
      );
      assert.equal(second.host.outcome, "failed");
      assert.equal(second.host.error?.details?.["reason"], "owner");
      if (kind !== "systemd") return;
      assert.match(
        second.host.error?.message ?? "",
        /was deployed there as deploy \(\/srv\/deploy\/.harness\/svc belongs to deploy\).*deploy it as deploy without --become sudo/,
      );
      assert.deepEqual(await copies(host, "svc"), ["deploy 1.0.0"]);
      const record = JSON.parse((await host.sh("cat /srv/deploy/.harness/svc/state.json")).stdout);
      const { uid } = record.releases[0].run;
      assert(uid > 0);
      assert.deepEqual(record.releases[0].run, { manager: "process", uid, user: "deploy" });
      const third = await run(bench.plan(two, { hosts: [login(host, user, own)] }));
      assert.equal(third.host.outcome, "ok", JSON.stringify(third.host.error));
      assert.deepEqual(await copies(host, "svc"), ["deploy 2.0.0"]);
      // Root's root: the user is told to become root.
      const other = await bench.makePackage({ name: "other" });
      const asRoot = await run(bench.plan(other, { hosts: [login(host, user, sudo)] }));
      assert.equal(asRoot.host.outcome, "ok", JSON.stringify(asRoot.host.error));
      const plain = await run(bench.plan(other, { hosts: [login(host, user)] }));
      assert.equal(plain.host.error?.code, "conflict");
      assert.match(plain.host.error?.message ?? "", /deployed there as root .*use --become sudo$/);
      assert.deepEqual(await copies(host, "other"), ["root 1.0.0"]);
      // Given to the user by hand while root's unit runs: the record says who runs it.
      await host.sh("chown -R deploy /opt");
      const given = await run(bench.plan(other, { hosts: [login(host, user)] }));
      assert.equal(given.host.error?.code, "conflict", JSON.stringify(given.host.error));
      assert.match(
        given.host.error?.message ?? "",
        /deployed there as root \(systemd\), and this is deploy; use --become sudo$/,
      );
      assert.deepEqual(await copies(host, "other"), ["root 1.0.0"]);
    },
  });
}

/** The ids of all entries with their states. */
async function entries(server: ControlServer): Promise<string[]> {
  await using client = await RawClient.ready(server.url, { deadlineMs: 60_000 });
  const services = await client.call("list_services") as unknown as Frame[];
  return services.map((s) => `${s["id"]} ${s["state"]} ${s["version"]}`);
}

Deno.test({
  name: "A3: one machine under two names is one instance",
  ignore: needs("sshd"),
  async fn() {
    await using bench = new Bench();
    await using sshd = await startSshd();
    await using server = await startControlServer({ dir: bench.dir, sshd });
    const remote = { host: sshd.host, port: sshd.port, user: sshd.user };
    // Two logins on one host and port: refused before anything begins.
    await assert.rejects(
      deployTo(bench, server, { name: "svc", targets: [remote, { ...remote, user: "other" }] }),
      /invalid_params.*given twice/,
    );
    assert.deepEqual(await entries(server), []);
    // This machine, and this machine again by its sshd: known once both have answered.
    for (const parallel of [1, 2]) {
      const version = `1.0.${parallel}`;
      const { status, hosts } = await deployTo(bench, server, {
        name: "svc",
        version,
        targets: ["local", remote],
        strategy: { parallel },
      });
      assert.equal(status, "partial", JSON.stringify(hosts));
      const [failed] = hosts.filter((h: Frame) => h["outcome"] !== "ok");
      assert.equal(failed.error.code, "invalid_params");
      assert.match(failed.error.message, /the same machine as/);
      assert.deepEqual(bench.running("svc"), [version]);
      assert.equal((await entries(server)).length, 1);
    }
    // One after the other: the entry stays the one of what runs there.
    const before = (await entries(server))[0]?.split(" ")[0];
    for (const [version, target] of [["2.0.0", remote], ["2.1.0", "local"]] as const) {
      const one = await deployTo(bench, server, { name: "svc", version, targets: [target] });
      assert.equal(one.status, "succeeded", JSON.stringify(one.hosts));
      assert.deepEqual(await entries(server), [`${before} running ${version}`]);
      assert.deepEqual(bench.running("svc"), [version]);
    }
  },
});

Deno.test({
  name: "A3: grows to two hosts, and one refused id fails alone",
  ignore: needs("sshd"),
  async fn() {
    await using bench = new Bench();
    await using one = await startSshd();
    await using two = await startSshd({ sameUserKeyAs: one });
    const known = await Deno.readTextFile(two.knownHostsFile);
    await Deno.writeTextFile(one.knownHostsFile, known, { append: true });
    await using server = await startControlServer({ dir: bench.dir, sshd: one });
    const [first, second] = [one, two].map((s) => ({
      host: s.host,
      port: s.port,
      user: s.user,
      install_root: `${bench.dir}/root-${s.port}`,
    }));
    const grow = (name: string, version: string, targets: unknown[]) =>
      deployTo(bench, server, { name, version, targets });
    assert.equal((await grow("svc", "1.0.0", [first])).status, "succeeded");
    assert.equal((await grow("svc", "1.1.0", [first, second])).status, "succeeded");
    const grown = ["svc running 1.1.0", `svc@127.0.0.1:${two.port} running 1.1.0`];
    assert.deepEqual(await entries(server), grown);
    // An entry of somebody else has the id that the second host would get.
    await using client = await RawClient.ready(server.url, { deadlineMs: 60_000 });
    const taken = `web@127.0.0.1:${two.port}`;
    await client.call("register_service", {
      service: {
        id: taken,
        name: "somebody",
        version: "1",
        execution: { type: "managed_process", command: "/bin/x", args: [], pid: null },
        location: { type: "local" },
      },
    });
    const { status, hosts } = await grow("web", "1.0.0", [first, second]);
    assert.equal(status, "partial", JSON.stringify(hosts));
    assert.deepEqual(hosts.map((h: Frame) => h["outcome"]), ["ok", "failed"]);
    assert.equal(hosts[1].error.code, "already_exists");
    assert.deepEqual(bench.running("web", `${bench.dir}/root-${one.port}`), ["1.0.0"]);
    assert.deepEqual(bench.running("web", `${bench.dir}/root-${two.port}`), []);
    assert.deepEqual(
      (await entries(server)).filter((line) => line.startsWith("web")),
      [
        `web@127.0.0.1:${one.port} running 1.0.0`,
        `${taken} registered 1`,
      ].sort(),
    );
  },
});

Deno.test({
  name: "C6: a host that hangs after login is given up on",
  ignore: needs("sshd"),
  async fn() {
    await using bench = new Bench();
    await using sshd = await startSshd({ config: ["ForceCommand sleep 1000"] });
    const closed = Promise.withResolvers<void>();
    const connect = async (signal: AbortSignal): Promise<Executor> => {
      const executor = await connectTo(sshd)(signal);
      return {
        host: executor.host,
        run: (command, options) => executor.run(command, options),
        async [Symbol.asyncDispose]() {
          await executor[Symbol.asyncDispose]();
          closed.resolve();
        },
      };
    };
    const hosts = [bench.target("stuck", { connect })];
    const source = await bench.makePackage();
    const { host } = await run(bench.plan(source, { hosts, beginTimeoutMs: 2_000 }));
    assert.equal(host.outcome, "unreachable", JSON.stringify(host.error));
    assert.equal(host.step, "lock");
    assert.match(
      host.error?.message ?? "",
      /Cannot lock web on stuck: no response within 2 s/,
    );
    assert.deepEqual([...Deno.readDirSync(bench.root)], []);
    await closed.promise;
  },
});

Deno.test({
  name: "C6: a host that hangs in a step is given up on with its lock",
  ignore: needs("sshd"),
  async fn() {
    await using bench = new Bench();
    await using sshd = await startSshd();
    const hosts = [bench.target("stuck", { connect: connectTo(sshd) })];
    const sessions = (signal: string) =>
      new Deno.Command("pkill", { args: [`-${signal}`, "-P", String(sshd.pid)] }).outputSync();
    const { host } = await run(bench.plan(await bench.makePackage(), { hosts, lockTtlMs: 3_000 }), {
      onEvent: ({ step, status }) => {
        if (step === "extract" && status === "started") sessions("STOP");
      },
    });
    sessions("CONT");
    assert.equal(host.outcome, "unreachable", JSON.stringify(host.error));
    assert.equal(host.error?.details?.["reason"], "hangs");
    await eventually(() => bench.leftovers().length === 0, "the host has freed its lock");
    assert.deepEqual(bench.running(), []);
  },
});

/** What is there under the name of a unit: its state, and its file. */
async function unit(host: TestHost, name: string): Promise<string> {
  const show = `systemctl show -p ActiveState -p UnitFileState -p MainPID ${name}`;
  return (await host.sh(`${show}; cat /etc/systemd/system/${name}`)).stdout;
}

Deno.test({
  name: "A1: another install root is refused, the first untouched",
  ignore: needs("docker", "root"),
  async fn() {
    await using bench = new Bench();
    await using host = await startHost();
    const source = (version: string, yaml = "") =>
      bench.makePackage({ name: "svc", version, yaml });
    const at = (installRoot: string) => ({ hosts: [login(host, "root", { installRoot })] });
    await host.sh("mkdir -p /srv/A /srv/B");
    const one = await run(bench.plan(await source("1.0.0"), at("/srv/A")));
    assert.equal(one.host.outcome, "ok", JSON.stringify(one.host.error));
    const before = await unit(host, "harness-svc.service");
    const two = await run(bench.plan(await source("2.0.0"), at("/srv/B")));
    assert.equal(two.host.outcome, "failed");
    assert.equal(two.host.step, "preflight");
    assert.equal(two.host.error?.code, "conflict");
    assert.equal(two.host.error?.details?.["reason"], "occupied");
    assert.match(two.host.error?.message ?? "", /\/srv\/A/);
    assert.equal(await unit(host, "harness-svc.service"), before);
    assert.deepEqual(await copies(host, "svc"), ["root 1.0.0"]);
    assert.equal((await host.sh("ls /srv/B; ls -A /srv/B/.harness/cache")).stdout, "");
    // Its record lost: what runs is not stopped for nothing either.
    await host.sh("mv /srv/A/.harness/svc/state.json /srv/A/state.json");
    const lost = await run(bench.plan(await source("3.0.0"), at("/srv/A")));
    assert.equal(lost.host.error?.details?.["reason"], "occupied", JSON.stringify(lost.host.error));
    assert.equal(await unit(host, "harness-svc.service"), before);
    await host.sh("mv /srv/A/state.json /srv/A/.harness/svc/state.json");
    // Stopped there for good, its unit gives way.
    await host.sh("systemctl disable --now harness-svc.service");
    const three = await run(bench.plan(await source("3.0.0"), at("/srv/B")));
    assert.equal(three.host.outcome, "ok", JSON.stringify(three.host.error));
    assert.deepEqual(await copies(host, "svc"), ["root 3.0.0"]);
  },
});

/** A unit file of somebody else's. */
const FOREIGN = "[Unit]\nDescription=theirs\n[Service]\nExecStart=/bin/sleep 100000\n" +
  "[Install]\nWantedBy=multi-user.target\n";

/** How a unit of somebody else's is there, and what is done to leave it so. */
const FOREIGN_UNITS: Record<string, string> = {
  active: "systemctl start harness-fo.service",
  "enabled and active": "systemctl enable --now harness-fo.service",
  "enabled and stopped": "systemctl enable harness-fo.service",
  masked: "rm /etc/systemd/system/harness-fo.service; systemctl mask harness-fo.service",
};

Deno.test({
  name: "A7: a unit of somebody else's is refused in every state",
  ignore: needs("docker", "root"),
  async fn() {
    await using bench = new Bench();
    await using host = await startHost();
    const source = await bench.makePackage({
      name: "fo",
      yaml: "health: {script: scripts/health.sh, timeout: 5s, retries: 1}\n",
      files: { "scripts/health.sh": "#!/bin/sh\nexit 2\n" },
    });
    for (const [what, script] of Object.entries(FOREIGN_UNITS)) {
      const file = "/etc/systemd/system/harness-fo.service";
      await host.sh(`printf '%s' '${FOREIGN}' > ${file}; systemctl daemon-reload; ${script}`);
      const before = await unit(host, "harness-fo.service");
      const { host: result } = await run(bench.plan(source, { hosts: [login(host, "root")] }));
      assert.equal(result.outcome, "failed", what);
      assert.equal(result.step, "preflight", what);
      assert.equal(result.error?.details?.["reason"], "occupied", what);
      assert.equal(await unit(host, "harness-fo.service"), before, what);
      assert.deepEqual(await copies(host, "fo"), [], what);
      await host.sh(
        `systemctl unmask harness-fo.service; systemctl disable --now harness-fo.service; rm -f ${file}`,
      );
    }
  },
});

Deno.test({
  name: "A6: a running unit of the machine is not used nor stopped",
  ignore: needs("docker", "root"),
  async fn() {
    await using bench = new Bench();
    await using host = await startHost();
    const file = "/etc/systemd/system/redis.service";
    await host.sh(
      `printf '%s' '${FOREIGN}' > ${file}; systemctl daemon-reload; systemctl enable --now redis.service`,
    );
    const before = await unit(host, "redis.service");
    const yaml = "service: {type: systemd_service, unit: redis.service}\n" +
      "health: {script: scripts/health.sh, timeout: 5s, retries: 1}\n";
    const files = { "scripts/health.sh": "#!/bin/sh\nexit 2\n" };
    const source = await bench.makePackage({ name: "redis", yaml, files });
    const { host: result } = await run(bench.plan(source, { hosts: [login(host, "root")] }));
    assert.equal(result.outcome, "failed");
    assert.equal(result.error?.details?.["reason"], "occupied", JSON.stringify(result.error));
    assert.equal(await unit(host, "redis.service"), before);
    // Stopped, it may be used; what this deployment started it stops again, and nothing is disabled.
    await host.sh("systemctl stop redis.service");
    const stopped = await unit(host, "redis.service");
    const again = await run(bench.plan(source, { hosts: [login(host, "root")] }));
    assert.equal(again.host.step, "health", JSON.stringify(again.host.error));
    assert.equal(await unit(host, "redis.service"), stopped);
  },
});

Deno.test({
  name: "A6, A7: a container of another owner is refused, untouched",
  ignore: needs("docker", "busybox"),
  async fn() {
    await using bench = new Bench();
    const name = `harness-identity-${crypto.randomUUID().slice(0, 8)}`;
    const image = `${name}:1`;
    const other = `${bench.dir}/root-other`;
    await Deno.mkdir(other);
    const state = () => inspect(name, "{{.Id}} {{.State.Running}} {{.State.StartedAt}}");
    const yaml = `service: {type: docker_container, image: "${image}"}\n`;
    const source = await bench.makePackage({ name, yaml });
    const refused = async (hosts: HostTarget[]) => {
      const before = await state();
      const { host } = await run(bench.plan(source, { hosts }));
      assert.equal(host.step, "preflight", JSON.stringify(host.error));
      assert.equal(host.error?.details?.["reason"], "occupied");
      assert.equal(await state(), before);
      return host.error?.message ?? "";
    };
    try {
      await makeImage(image, 'trap "exit 0" TERM; while :; do sleep 0.1; done');
      await docker("run", "-d", "--network", "none", "--name", name, image);
      await refused([bench.target()]);
      await docker("stop", name);
      await refused([bench.target()]);
      await docker("rm", name);
      const one = await run(bench.plan(source));
      assert.equal(one.host.outcome, "ok", JSON.stringify(one.host.error));
      // A1 for containers: the other install root is named.
      const message = await refused([bench.target("here", { installRoot: other })]);
      assert(message.includes(bench.root), message);
    } finally {
      await removeAll([name], [image]);
    }
  },
});

Deno.test("A1: a process whose record is lost is not doubled", async () => {
  await using bench = new Bench();
  const name = `lost-${crypto.randomUUID().slice(0, 8)}`;
  const one = await run(bench.plan(await bench.makePackage({ name })));
  assert.equal(one.host.outcome, "ok", JSON.stringify(one.host.error));
  const state = `${bench.base(name)}/state.json`;
  await Deno.rename(state, `${bench.dir}/state.json`);
  const two = await bench.makePackage({ name, version: "2.0.0" });
  const lost = await run(bench.plan(two));
  assert.equal(lost.host.step, "preflight", JSON.stringify(lost.host.error));
  assert.equal(lost.host.error?.details?.["reason"], "occupied");
  assert.match(lost.host.error?.message ?? "", /1\.0\.0/);
  assert.deepEqual(bench.running(name), ["1.0.0"]);
  await Deno.rename(`${bench.dir}/state.json`, state);
  // Below another install root it has another name, and both run.
  const other = `${bench.dir}/root-other`;
  await Deno.mkdir(other);
  const beside = await run(
    bench.plan(two, { hosts: [bench.target("here", { installRoot: other })] }),
  );
  assert.equal(beside.host.outcome, "ok", JSON.stringify(beside.host.error));
  assert.deepEqual(bench.running(name), ["1.0.0"]);
  assert.deepEqual(bench.running(name, other), ["2.0.0"]);
});

Deno.test({
  name: "A1, A2: a lost record does not double it for another user",
  ignore: needs("root"),
  async fn() {
    await using bench = new Bench();
    await Deno.chmod(bench.dir, 0o755);
    const name = `lost-${crypto.randomUUID().slice(0, 8)}`;
    const as = (version: string, user: string) =>
      bench.makePackage({
        name,
        version,
        yaml: `service: {type: managed_process, user: ${user}}\n`,
      });
    const one = await run(bench.plan(await as("1.0.0", "nobody")));
    assert.equal(one.host.outcome, "ok", JSON.stringify(one.host.error));
    // All of it: not only the record of releases.
    await Deno.rename(bench.base(name), `${bench.dir}/away`);
    const lost = await run(bench.plan(await as("2.0.0", "daemon")));
    const { reason, occupant } = lost.host.error?.details ?? {};
    assert.deepEqual(
      [lost.host.step, reason],
      ["preflight", "occupied"],
      JSON.stringify(lost.host),
    );
    const pid = (occupant as { name: string }).name;
    const environ = await Deno.readTextFile(`/proc/${pid}/environ`);
    assert.ok(environ.split("\0").includes("HARNESS_VERSION=1.0.0"), environ);
    assert.deepEqual(bench.running(name), ["1.0.0"]);
    await Deno.remove(bench.base(name), { recursive: true });
    await Deno.rename(`${bench.dir}/away`, bench.base(name));
  },
});

Deno.test({
  name: "A1: another user cannot pretend to be the service",
  ignore: needs("root"),
  async fn() {
    await using bench = new Bench();
    await Deno.chmod(bench.dir, 0o755);
    const name = `fake-${crypto.randomUUID().slice(0, 8)}`;
    const base = bench.base(name);
    await Deno.mkdir(`${bench.root}/${name}-0.9.0`);
    // A program that becomes root, and has the variables of whoever called it.
    const child = new Deno.Command("setpriv", {
      args: ["--reuid=nobody", "--regid=nogroup", "--clear-groups", "su", "root"],
      clearEnv: true,
      env: {
        PATH: "/usr/bin:/bin",
        HARNESS_SERVICE: name,
        HARNESS_DATA_DIR: `${base}/shared`,
        HARNESS_INSTALL_DIR: `${bench.root}/${name}-0.9.0`,
      },
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      await eventually(() => {
        return Deno.readTextFileSync(`/proc/${child.pid}/comm`) === "su\n" &&
          Deno.statSync(`/proc/${child.pid}`).uid === 0;
      }, "it is root");
      const { host } = await run(bench.plan(await bench.makePackage({ name })));
      assert.equal(host.outcome, "ok", JSON.stringify(host.error));
    } finally {
      await child.stdin.close();
      await child.status;
    }
  },
});

Deno.test("A9: what another server deployed is followed, not undone", async () => {
  await using bench = new Bench();
  const name = `two-${crypto.randomUUID().slice(0, 8)}`;
  const root = `${bench.dir}/opt`;
  const start = async (dir: string) => {
    await Deno.mkdir(`${bench.dir}/${dir}`, { recursive: true });
    await Deno.symlink(root, `${bench.dir}/${dir}/opt`).catch(() => {});
    return await startControlServer({ dir: `${bench.dir}/${dir}` });
  };
  const deployVersion = async (server: ControlServer, version: string) => {
    const one = await deployTo(bench, server, { name, version, targets: ["local"] });
    assert.equal(one.status, "succeeded", JSON.stringify(one.hosts));
  };
  const line = (version: string) => [`${name} running ${version}`];
  await using two = await start("two");
  {
    await using one = await start("one");
    await deployVersion(one, "1.1.0");
    // While the first one watches.
    await deployVersion(two, "1.0.0");
    await eventually(async () => (await entries(one))[0] === line("1.0.0")[0], "it is told");
    await using client = await RawClient.ready(one.url, { deadlineMs: 60_000 });
    await client.call("service_action", { name, action: "restart" });
    assert.deepEqual(await entries(one), line("1.0.0"));
    assert.deepEqual(bench.running(name, `${bench.dir}/two/opt`), ["1.0.0"]);
  }
  // While the first one is away.
  await deployVersion(two, "1.2.0");
  await using one = await start("one");
  await eventually(async () => (await entries(one))[0] === line("1.2.0")[0], "it is found");
  assert.deepEqual(bench.running(name, `${bench.dir}/two/opt`), ["1.2.0"]);
});
