/**
 * Generated units are confined and ordinary services do not notice: B5, on a real systemd with real programs.
 */
import assert from "node:assert/strict";
import type { HostTarget } from "../../src/deploy/plan.ts";
import { createController } from "../../src/lifecycle/controller.ts";
import type { ServiceSpec } from "../../src/lifecycle/service_spec.ts";
import { Bench, type PackageOptions, run } from "../deploy/support.ts";
import { startHost, type TestHost } from "../hosts/hosts.ts";
import { has, needs } from "../helpers/require.ts";
import { untilPasses } from "../helpers/raw_client.ts";

const ignore = needs("docker", "root");

async function inside(host: TestHost, script: string): Promise<string> {
  return (await host.sh(script)).stdout.trim();
}

async function deployed(bench: Bench, host: TestHost, options: PackageOptions): Promise<void> {
  const hosts: HostTarget[] = [{
    label: "box",
    installRoot: "/opt",
    become: null,
    connect: () => host.connect(),
  }];
  const { host: result } = await run(bench.plan(await bench.makePackage(options), { hosts }));
  assert.equal(result.outcome, "ok", `${options.name}: ${JSON.stringify(result.error)}`);
}

/** Copies a program of this machine with its libraries, and `more`, into the host. */
async function copyProgram(host: TestHost, program: string, more: string[] = []): Promise<void> {
  const script = `set -eu
path=$(command -v "$1") || path=$1
path=$(readlink -f "$path")
shift
{ printf '%s\\n' "$path" "$@"; ldd "$path" | grep -o '/[^ ]*'; } | sort -u |
  tar -C / -chf - --transform 's,^,/,' -PT - 2>/dev/null | docker exec -i "$0" tar -C / -xPf -
echo "$path"`;
  const { success, stderr } = await new Deno.Command("sh", {
    args: ["-c", script, host.name, program, ...more],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

/** Says what the service may do, into its data directory. */
const PROBE = `#!/bin/sh
try() { if "$@" >/dev/null 2>&1; then echo yes; else echo no; fi; }
{
  grep -e NoNewPrivs -e CapBnd /proc/self/status
  echo "etc $(try touch /etc/probe)"
  echo "usr $(try touch /usr/probe)"
  echo "log $(try touch "$HARNESS_LOG_DIR/probe")"
  echo "setuid $(cp /bin/true "$HARNESS_DATA_DIR/t"; try chmod u+s "$HARNESS_DATA_DIR/t")"
  echo "sysctl $(try sh -c 'cat /proc/sys/kernel/sysrq > /proc/sys/kernel/sysrq')"
  echo "cgroup $(try mkdir /sys/fs/cgroup/probe)"
} > "$HARNESS_DATA_DIR/probe.new" 2>&1
: > /tmp/probe-$HARNESS_SERVICE
mv "$HARNESS_DATA_DIR/probe.new" "$HARNESS_DATA_DIR/probe"
while :; do sleep 0.2; done
`;

async function probed(host: TestHost, name: string): Promise<Record<string, string>> {
  const text = await untilPasses(async () => {
    const { code, stdout } = await host.sh(`cat /opt/.harness/${name}/shared/probe`);
    assert.equal(code, 0);
    return stdout;
  });
  const words = text.trim().split("\n").map((line) => line.split(/:?\s+/));
  return Object.fromEntries(words.map(([key = "", value = ""]) => [key, value]));
}

async function confined(bench: Bench, host: TestHost): Promise<void> {
  const of = (name: string, service: string) =>
    deployed(bench, host, { name, start: PROBE, yaml: `service: {${service}}\n` });
  await of("usual", "type: managed_process");
  const usual = await probed(host, "usual");
  const { CapBnd, ...rest } = usual;
  assert.notEqual(CapBnd, "0000000000000000");
  assert.deepEqual(rest, {
    NoNewPrivs: "1",
    etc: "no",
    usr: "no",
    log: "yes",
    setuid: "no",
    sysctl: "no",
    cgroup: "no",
  });
  assert.equal(await inside(host, "ls /tmp/probe-usual 2>&1 | grep -c cannot"), "1");

  await of("user", "user: games");
  const user = await probed(host, "user");
  assert.deepEqual([user.NoNewPrivs, user.CapBnd, user.log], ["1", "0000000000000000", "yes"]);

  await of("bare", "hardening: false");
  const bare = await probed(host, "bare");
  assert.deepEqual([bare.NoNewPrivs, bare.etc, bare.usr, bare.setuid], ["0", "yes", "yes", "yes"]);
  assert.equal(await inside(host, "ls /tmp/probe-bare"), "/tmp/probe-bare");

  await of("some", "user: games, hardening: {private_tmp: false, no_new_privileges: false}");
  assert.equal((await probed(host, "some")).NoNewPrivs, "0", "for sudo");
  assert.equal(await inside(host, "ls /tmp/probe-some"), "/tmp/probe-some");
}

async function exposure(host: TestHost): Promise<void> {
  const of = async (name: string) =>
    Number(
      /level for .*: ([\d.]+)/.exec(
        await inside(host, `systemd-analyze security --no-pager harness-${name}.service`),
      )?.[1],
    );
  const [usual, user, bare] = [await of("usual"), await of("user"), await of("bare")];
  // The figures of docs/lifecycle.md; another systemd weighs a little otherwise.
  assert.ok(usual < 8 && user < 5 && bare > 9, `${usual} ${user} ${bare}`);
}

async function ofItsUser(bench: Bench, host: TestHost): Promise<void> {
  const note = (what: string) =>
    `#!/bin/sh\nid -un > "$HARNESS_DATA_DIR/${what}"; echo "$HARNESS_SERVICE" >> "$HARNESS_DATA_DIR/${what}"\n`;
  await deployed(bench, host, {
    name: "mine",
    yaml: "service: {user: games}\n",
    start:
      "#!/bin/sh\ntrap 'echo hup >> \"$HARNESS_DATA_DIR/hup\"' HUP\nwhile :; do sleep 0.2; done\n",
    files: { "scripts/stop.sh": note("stop"), "scripts/reload.sh": note("reload") },
  });
  await using executor = await host.connect();
  const state = JSON.parse(await inside(host, "cat /opt/.harness/mine/state.json"));
  const spec: ServiceSpec = state.releases[0].spec;
  const controller = createController(executor, spec, { systemd: true });
  assert.ok((await controller.reload()).running);
  await controller.stop();
  const shared = "/opt/.harness/mine/shared";
  for (const what of ["reload", "stop"]) {
    assert.equal(await inside(host, `cat ${shared}/${what}`), "games\nmine", what);
  }
}

/** Real programs of the kinds that confinement could break. */
async function programs(bench: Bench, host: TestHost): Promise<void> {
  const http = (port: number) =>
    `health: {http: {port: http, path: /}, timeout: 30s, start_period: 30s}\n` +
    `service: {user: games, ports: [{name: http, port: ${port}, protocol: http}]}\n`;
  await deployed(bench, host, {
    name: "lowport",
    yaml: http(80),
    start: `#!/bin/sh
exec perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalPort => 80, Listen => 5, ReuseAddr => 1) or die "$!";
while ($c = $s->accept) { <$c>; print $c "HTTP/1.0 200 OK\\r\\n\\r\\nhello"; close $c }'
`,
  });
  await deployed(bench, host, {
    name: "background",
    yaml: "service: {start: daemon, user: games}\n",
    start: `#!/bin/sh
setsid sh -c 'echo up > "$HARNESS_LOG_DIR/d.log"; exec sleep 100000' </dev/null >/dev/null 2>&1 &
`,
  });
  assert.equal(await inside(host, "cat /opt/.harness/background/log/d.log"), "up");
  if (has("node")) {
    await copyProgram(host, "node");
    await deployed(bench, host, {
      name: "nodejs",
      yaml: http(8081),
      start: `#!/bin/sh
exec node -e 'let n = 0; for (let i = 0; i < 1e7; i++) n += i % 7;
require("http").createServer((q, r) => r.end(String(n))).listen(8081)'
`,
    });
  }
  if (has("python3")) {
    await copyProgram(host, "/usr/bin/python3", ["/usr/lib/python3.11"]);
    await deployed(bench, host, {
      name: "python",
      yaml: http(8082),
      start: '#!/bin/sh\nexec python3.11 -m http.server 8082 -d "$HARNESS_INSTALL_DIR"\n',
    });
  }
}

Deno.test({
  name: "hardening: confines, and breaks nothing ordinary",
  ignore,
  async fn(t) {
    await using bench = new Bench();
    await using host = await startHost();
    await t.step("what a service may still do", () => confined(bench, host));
    await t.step("systemd's own figure", () => exposure(host));
    await t.step("stop and reload scripts are the user's", () => ofItsUser(bench, host));
    await t.step("real programs", () => programs(bench, host));
  },
});
