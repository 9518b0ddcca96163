/**
 * The exit code and the closing line of `deploy` for each way in which a deployment can end: the real program, over a
 * real sshd, from its own process and through a server.
 */
import assert from "node:assert/strict";
import { buildPackage } from "../../src/package/build.ts";
import { type CliResult, runCli, RunningCli, startServer } from "../helpers/cli.ts";
import { removeTree } from "../helpers/remove_tree.ts";
import { needs } from "../helpers/require.ts";
import { type Sshd, startSshd } from "../helpers/sshd.ts";

const DEAD = "nobody@127.0.0.1:9";

/** What a version does: 3 does not start, 4 never becomes healthy, 5 leaves nothing that any version starts with. */
const START = `#!/bin/sh
poison="$HARNESS_DATA_DIR/poison"
case $HARNESS_VERSION in
  3.*) echo "no such config" >&2; exit 7 ;;
  5.*) touch "$poison"; exit 4 ;;
esac
[ ! -e "$poison" ] || { echo poisoned; exit 5; }
exec sleep 1000
`;
const HEALTH = `#!/bin/sh
case $HARNESS_VERSION in 4.*) echo "not yet"; exit 2 ;; esac
`;
const MANIFEST = `description: test
stop: {timeout: 2s}
`;

/** A way to deploy, with an install root of its own. */
interface Way {
  /** For messages. */
  name: string;
  /** Install root. */
  root: string;
  /** Flags of every command. */
  flags: string[];
  /** Environment of every command. */
  env: Record<string, string>;
  /** Cancels the deployment of 4.0.0 from outside; `null` where only its own process can. */
  cancel: (() => Promise<void>) | null;
}

/** Packages, a host, and where everything is. */
class Scene {
  readonly #packages = new Map<string, string>();

  constructor(readonly dir: string, readonly host: string) {}

  /** Builds `svc` in a version, or `hung`, whose start script never comes back. */
  async build(name: string, version: string, more: string, start: string): Promise<void> {
    const tree = `${this.dir}/${name}-${version}`;
    await Deno.mkdir(`${tree}/scripts`, { recursive: true });
    await Deno.writeTextFile(
      `${tree}/manifest.yaml`,
      `name: ${name}\nversion: ${version}\n${MANIFEST}${more}`,
    );
    await Deno.writeTextFile(`${tree}/scripts/start.sh`, start);
    await Deno.writeTextFile(`${tree}/scripts/health.sh`, HEALTH);
    const { path } = await buildPackage(tree, { outDir: this.dir });
    this.#packages.set(`${name} ${version}`, path);
  }

  /** Arguments of `deploy`. */
  args(way: Way, what: string, ...more: string[]): string[] {
    const hosts = more.includes("--host") ? [] : ["--host", this.host];
    return ["deploy", this.#packages.get(what) ?? what, ...hosts, ...more, ...way.flags];
  }

  async run(way: Way, what: string, ...more: string[]): Promise<CliResult> {
    return await runCli(this.args(way, what, ...more), { env: way.env });
  }
}

/** Asserts code and the one line on stderr that says how it ended. */
function assertEnd(way: Way, ended: CliResult, code: number, line: string | RegExp): void {
  const all = `${way.name}: ${ended.code}\n${ended.stdout}\n${ended.stderr}`;
  assert.equal(ended.code, code, all);
  const closing = ended.stderr.split("\n").filter((it) => /^(d-\S+|harness-ws-server): /.test(it));
  assert.equal(closing.length, 1, all);
  const said = (closing[0] ?? "").replace(/^d-[^:]+/, "d");
  if (typeof line === "string") assert.equal(said, `d: deploy of svc ${line}`, all);
  else assert.match(said, line, all);
}

async function checkEnds(scene: Scene, way: Way): Promise<void> {
  const ends = async (
    what: string,
    code: number,
    line: string | RegExp,
    ...more: string[]
  ): Promise<CliResult> => {
    const ended = await scene.run(way, `svc ${what}`, ...more);
    assertEnd(way, ended, code, line);
    return ended;
  };
  await ends(
    "1.0.0",
    2,
    /^harness-ws-server: .*--parallel.* \[invalid_params\]$/,
    "--parallel",
    "x",
  );
  const first = await ends("3.0.0", 1, "3.0.0 failed");
  // A program that ends at once has done so when its start is looked at, or when its health is.
  assert.match(first.stdout, /^\S+ +failed +(?:start|health) +\d\w+$/m);
  assert.match(first.stderr, /^ {2}Cannot (?:start|keep) svc on /m);
  // It is not registered afterwards: only the host itself has its log.
  const onHost = /^ {2}next: check its log \(\S+\/svc\/output\/svc\.log on \S+\), /m;
  assert.match(first.stderr, onHost);
  await ends("1.0.0", 0, "1.0.0 succeeded");
  const both = ["--host", DEAD, "--host", scene.host];
  const partial = await ends("2.0.0", 3, "2.0.0 partial (1 unreachable, 1 ok)", ...both);
  assert.match(partial.stdout, /^nobody@127\.0\.0\.1:9 +unreachable +connect /m);
  await ends("2.0.0", 4, "2.0.0 failed", "--host", DEAD);
  await ends(
    "2.0.0",
    0,
    "2.0.0 succeeded (1 unreachable, 1 ok)",
    ...both,
    "--on-unreachable",
    "skip",
  );
  const back = await ends("3.1.0", 6, "3.1.0 rolled_back");
  assert.match(back.stderr, /^ {4}no such config$/m);
  if (/^\S+: rolled_back at start /m.test(back.stderr)) {
    assert.match(back.stderr, /^ {2}command: \S+\/svc-3\.1\.0\/scripts\/start\.sh$/m);
  }
  const throughServer = Object.keys(way.env).length > 0;
  const asked = /^ {2}next: check its log \(harness-ws-server service logs (\S+)\), /m;
  assert.match(back.stderr, throughServer ? asked : onHost);
  if (throughServer) {
    const id = asked.exec(back.stderr)?.[1] ?? "";
    const logs = await runCli(["service", "logs", id], { env: way.env });
    assert.match(logs.stdout, /^no such config$/m, `${id}: ${logs.stderr}`);
  }

  await checkLocked(scene, way);
  if (way.cancel !== null) {
    await using hanging = new RunningCli(scene.args(way, "svc 4.0.0"), { env: way.env });
    await hanging.until((it) => /health +started/.test(it.stderr));
    await way.cancel();
    assertEnd(way, await hanging.end(), 1, "4.0.0 cancelled");
  }
  assert.match(await Deno.readLink(`${way.root}/.harness/svc/current`), /svc-2\.0\.0$/);

  const stuck = await ends("5.0.0", 7, "5.0.0 failed");
  assert.match(stuck.stdout, /^\S+ +rollback_failed +(?:start|health) +\d\w+$/m);
  assert.match(stuck.stderr, /^ {2}Cannot .* svc is down on /m);
  // Its last line where it ended in its start, as on a machine that is not busy.
  assert.match(stuck.stderr, /^ {2}rollback error: .*(?:poisoned|exited with code 5)/m);
}

/** While another process deploys to the host: a server would make its own deployments of a service wait. */
async function checkLocked(scene: Scene, way: Way): Promise<void> {
  const other = { ...way, flags: directFlags(scene.dir, way.root), env: {} };
  await using holder = new RunningCli(scene.args(other, "svc 4.0.0"), { env: other.env });
  await holder.until((it) => /health +started/.test(it.stderr));
  const second = await scene.run(way, "svc 1.0.0");
  assertEnd(way, second, 8, "1.0.0 failed");
  assert.match(second.stdout, /^\S+ +failed +lock +\d+s$/m);
  assert.match(
    second.stderr,
    /^ {2}Cannot lock svc on \S+: it is held by d-\S+ by \S+@\S+ \(pid \d+\) /m,
  );
  holder.kill("SIGINT");
  assertEnd(other, await holder.end(), 130, "4.0.0 cancelled");
}

/** A start script that never comes back is killed after a minute: that goes on while the others are looked at. */
async function checkTimeout(scene: Scene, way: Way): Promise<void> {
  const ended = await scene.run(way, "hung 1.0.0");
  assertEnd(way, ended, 5, /^d: deploy of hung 1\.0\.0 failed$/);
  assert.match(ended.stdout, /^\S+ +failed +start +\d\w+$/m);
  assert.match(ended.stderr, /^ {2}Cannot start hung on .*not started after/m);
}

/** Where {@linkcode directFlags} finds what belongs to the sshd. */
async function copyIdentity(sshd: Sshd, dir: string): Promise<void> {
  await Deno.copyFile(sshd.identityFile, `${dir}/id`);
  await Deno.chmod(`${dir}/id`, 0o600);
  await Deno.copyFile(sshd.knownHostsFile, `${dir}/known_hosts`);
}

function sshFlags(dir: string, root: string): string[] {
  return [
    ...["--identity", `${dir}/id`, "--known-hosts", `${dir}/known_hosts`],
    ...["--ssh-config", "none", "--install-root", root],
  ];
}

function directFlags(dir: string, root: string): string[] {
  return ["--direct", ...sshFlags(dir, root)];
}

async function openScene(dir: string, sshd: Sshd): Promise<Scene> {
  await copyIdentity(sshd, dir);
  const scene = new Scene(dir, `${sshd.user}@${sshd.host}:${sshd.port}`);
  const service = "service: {type: managed_process}\n" +
    "health: {script: scripts/health.sh, interval: 500ms, timeout: 5s, retries: 1, start_period: 120s}\n";
  for (const version of ["1.0.0", "2.0.0", "3.0.0", "3.1.0", "4.0.0", "5.0.0"]) {
    await scene.build("svc", version, service, START);
  }
  const daemon = "service: {type: managed_process, start: daemon}\n";
  await scene.build("hung", "1.0.0", daemon, "#!/bin/sh\nexec sleep 1000\n");
  return scene;
}

async function killAll(dir: string): Promise<void> {
  for (const name of ["direct", "server"]) {
    const shared = `HARNESS_DATA_DIR=${dir}/${name}/`;
    for (const { name: pid } of Deno.readDirSync("/proc")) {
      const env = await Deno.readTextFile(`/proc/${pid}/environ`).catch(() => "");
      if (!/^\d+$/.test(pid) || !env.includes(shared)) continue;
      try {
        Deno.kill(Number(pid), "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    }
  }
}

Deno.test({
  name: "deploy: documented exit codes, direct and through a server",
  ignore: needs("sshd"),
  async fn() {
    const dir = await Deno.makeTempDir({ prefix: "harness-exit-" });
    try {
      await using sshd = await startSshd();
      const scene = await openScene(dir, sshd);
      const roots = { direct: `${dir}/direct`, server: `${dir}/server` };
      for (const root of Object.values(roots)) await Deno.mkdir(root);
      await using server = await startServer(sshFlags(dir, roots.server));
      const env = { HARNESS_URL: server.url };
      const direct: Way = {
        name: "direct",
        root: roots.direct,
        flags: directFlags(dir, roots.direct),
        env: {},
        cancel: null,
      };
      const through: Way = {
        name: "through a server",
        root: roots.server,
        flags: [],
        env,
        cancel: async () => {
          const list = await runCli(["deployments", "--json"], { env });
          const id = JSON.parse(list.stdout).find((d: { status: string; service: string }) =>
            d.status === "running" && d.service === "svc"
          )?.deployment_id;
          const told = await runCli(["deployments", "cancel", id], { env });
          assert.equal(told.code, 0, `${told.stderr}\n${list.stdout}`);
        },
      };
      const ended = await Promise.allSettled([
        checkTimeout(scene, direct),
        checkTimeout(scene, through),
        checkEnds(scene, direct),
        checkEnds(scene, through),
      ]);
      const failures = ended.flatMap((one) => one.status === "rejected" ? [one.reason] : []);
      if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join("\n"));
    } finally {
      await killAll(dir);
      await removeTree(dir);
    }
  },
});
