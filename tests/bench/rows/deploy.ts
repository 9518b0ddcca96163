/**
 * Deployments of 5 MB over real SSH to one host and to 20, for the first time and again, beside pyinfra, ansible and a
 * loop of ssh. The hosts are 20 ports of two sshds, each with an install root and a service of its own.
 */
import { buildPackage } from "../../../src/package/build.ts";
import { freePort } from "../../helpers/free_port.ts";
import { RawClient } from "../../helpers/raw_client.ts";
import { type Sshd, startSshd } from "../../helpers/sshd.ts";
import { type Product, startProduct } from "../product.ts";
import { seconds } from "../timed.ts";
import { makeRoot, writeScripts } from "../listening_service.ts";
import type { Contender, Figures, Row, Target, Tool } from "../row.ts";
import type { Scope } from "../scope.ts";

const HOSTS = 20;
/** One sshd listens on no more than 16. */
const PORTS = 10;
const PACKAGE_BYTES = 5_000_000;
const PEERS = new URL("../peers/", import.meta.url).pathname;

/** A host as every contender gets it. */
interface BenchHost {
  readonly port: number;
  readonly root: string;
}

/** A package file. */
interface Built {
  readonly path: string;
  readonly file: string;
  readonly sha256: string;
  readonly name: string;
  readonly version: string;
}

/** The hosts, and packages for them. */
class Fleet implements AsyncDisposable {
  readonly scope: Scope;
  readonly sshd: Sshd;
  readonly ports: readonly number[];
  readonly #random = new Uint8Array(PACKAGE_BYTES);
  readonly #started: AsyncDisposableStack;
  #count = 0;

  private constructor(
    scope: Scope,
    sshd: Sshd,
    ports: readonly number[],
    started: AsyncDisposableStack,
  ) {
    this.scope = scope;
    this.#started = started;
    this.sshd = sshd;
    this.ports = ports;
    for (let at = 0; at < PACKAGE_BYTES; at += 65_536) {
      crypto.getRandomValues(this.#random.subarray(at, at + 65_536));
    }
  }

  static async open(scope: Scope): Promise<Fleet> {
    await using stack = new AsyncDisposableStack();
    const sshds: Sshd[] = [];
    const known = new Map<number, readonly string[]>();
    while (known.size < HOSTS) {
      const first = sshds[0];
      const more = Array.from({ length: PORTS - 1 }, () => freePort());
      const sshd = stack.use(
        await startSshd({
          config: ["MaxStartups 100", ...more.map((port) => `ListenAddress 127.0.0.1:${port}`)],
          ...(first === undefined ? {} : { sameUserKeyAs: first }),
        }),
      );
      sshds.push(sshd);
      for (const port of [sshd.port, ...more]) known.set(port, sshd.hostKeys);
    }
    const [sshd] = sshds;
    if (sshd === undefined) throw new Error("there is no host");
    const lines = [...known].map(([port, keys]) =>
      keys.map((key) => `[127.0.0.1]:${port} ${key}\n`)
    );
    await Deno.writeTextFile(sshd.knownHostsFile, lines.flat().join(""));
    return new Fleet(scope, sshd, [...known.keys()], stack.move());
  }

  /** Hosts on which nothing has been deployed. */
  async hosts(count: number): Promise<BenchHost[]> {
    return await Promise.all(
      this.ports.slice(0, count).map(async (port) => {
        const root = this.scope.path("root");
        await makeRoot(root);
        return { port, root };
      }),
    );
  }

  /** Builds a package whose content no other one has. */
  async build(dir: string, name: string): Promise<Built> {
    const version = `1.0.${this.#count++}`;
    const tree = this.scope.path("tree");
    await writeScripts(tree);
    crypto.getRandomValues(this.#random.subarray(0, 1024));
    await Deno.writeFile(`${tree}/data.bin`, this.#random);
    await Deno.writeTextFile(
      `${tree}/manifest.yaml`,
      `name: ${name}\nversion: ${version}\ndescription: bench\nservice: {type: managed_process}\n` +
        "health: {script: scripts/health.sh}\n",
    );
    await Deno.mkdir(dir, { recursive: true });
    const { path, sha256 } = await buildPackage(tree, { outDir: dir });
    await Deno.remove(tree, { recursive: true });
    return { path, file: path.slice(dir.length + 1), sha256, name, version };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#started.disposeAsync();
  }
}

/** Deploys through a server, as every client does: from the request to the last event. */
async function deploy(client: RawClient, fleet: Fleet, on: Built, hosts: readonly BenchHost[]) {
  const { host, user, identityFile } = fleet.sshd;
  const { deployment_id } = await client.call("deploy_package", {
    package: on.file,
    targets: hosts.map(({ port, root }) => ({
      host,
      user,
      port,
      identity_file: identityFile,
      install_root: root,
    })),
  });
  for (;;) {
    const { data } = await client.event("deployment_progress");
    if (data.deployment_id !== deployment_id || data.host !== null) continue;
    if (data.deployment_status === "succeeded") return;
    const found = await client.call("get_deployment", { deployment_id });
    throw new Error(JSON.stringify(found.hosts.find((h: { error?: unknown }) => h.error)));
  }
}

let measures = 0;

/** A first deployment to so many hosts, then another version. */
async function measureOurs(fleet: Fleet, server: Product, count: number): Promise<Figures> {
  const name = `bench-${measures++}`;
  const packages = `${server.stateDir}/packages`;
  const [one, two] = [await fleet.build(packages, name), await fleet.build(packages, name)];
  const hosts = await fleet.hosts(count);
  await using client = await RawClient.ready(server.url, { deadlineMs: 120_000 });
  await client.call("subscribe", { events: ["deployment_progress"] });
  const first_s = await seconds(() => deploy(client, fleet, one, hosts));
  const again_s = await seconds(() => deploy(client, fleet, two, hosts));
  const services = Object.values(await client.call("list_services", { name }));
  await Promise.all(
    services.map(({ id }) => client.call("service_action", { name: id, action: "stop" })),
  );
  return { first_s, again_s };
}

/** How a peer deploys a package to hosts. */
type Peer = (fleet: Fleet, built: Built, hosts: readonly BenchHost[]) => Promise<unknown>;

async function measurePeer(fleet: Fleet, peer: Peer, count: number): Promise<Figures> {
  const dir = fleet.scope.path("packages");
  const [one, two] = [await fleet.build(dir, "bench"), await fleet.build(dir, "bench")];
  const hosts = await fleet.hosts(count);
  const figures: Figures = { first_s: await seconds(() => peer(fleet, one, hosts)) };
  // Not with ansible, which takes half a minute each time.
  if (peer !== ansible) figures.again_s = await seconds(() => peer(fleet, two, hosts));
  for (const { root } of hosts) Deno.kill(Number(await Deno.readTextFile(`${root}/pid`)));
  return figures;
}

const sshLoop: Peer = async ({ scope, sshd }, { path, file, sha256 }, hosts) => {
  const options = ["-q", "-o", "BatchMode=yes", "-F", "none", "-i", sshd.identityFile];
  const known = ["-o", `UserKnownHostsFile=${sshd.knownHostsFile}`, `${sshd.user}@${sshd.host}`];
  await Promise.all(hosts.map(async ({ port, root }) => {
    const ssh = ["ssh", ...options, "-p", String(port), ...known];
    const text =
      'package=$1 script=$2 to=$3; shift 3; "$@" "cat > $to" < "$package" && "$@" "sh -s $run" < "$script"';
    await scope.run(
      "sh",
      ["-c", text, "sh", path, `${PEERS}install.sh`, `${root}/${file}`, ...ssh],
      {
        env: { run: `${root} ${file} ${sha256}` },
      },
    );
  }));
};

const pyinfra: Peer = async ({ scope, sshd }, { path, file, sha256, version }, hosts) => {
  const inventory = scope.path("inventory.py");
  const lines = hosts.map(({ port, root }) => {
    const data = {
      ssh_hostname: sshd.host,
      ssh_port: port,
      ssh_user: sshd.user,
      ssh_key: sshd.identityFile,
      ssh_known_hosts_file: sshd.knownHostsFile,
      ...{ root, file, sha256, package: path, release: `release-${version}` },
    };
    return `  ("@ssh/h${port}", ${JSON.stringify(data)}),`;
  });
  await Deno.writeTextFile(inventory, `hosts = [\n${lines.join("\n")}\n]\n`);
  await scope.run("pyinfra", ["-y", inventory, `${PEERS}pyinfra_deploy.py`]);
};

const ansible: Peer = async ({ scope, sshd }, { path, file, version }, hosts) => {
  const inventory = scope.path("inventory");
  const lines = hosts.map(({ port, root }) =>
    `h${port} ansible_host=${sshd.host} ansible_port=${port} ansible_user=${sshd.user} ` +
    `ansible_ssh_private_key_file=${sshd.identityFile} root=${root} ` +
    `ansible_ssh_common_args='-o UserKnownHostsFile=${sshd.knownHostsFile}'`
  );
  await Deno.writeTextFile(inventory, `${lines.join("\n")}\n`);
  const vars = JSON.stringify({ package: path, file, release: `release-${version}` });
  await scope.run("ansible-playbook", [
    ...["-i", inventory, "-f", String(HOSTS), "-e", vars, `${PEERS}ansible_deploy.yaml`],
  ], {
    env: {
      ANSIBLE_PYTHON_INTERPRETER: "/usr/bin/python3",
      ANSIBLE_HOME: scope.path("ansible"),
      ANSIBLE_DISPLAY_FAILED_STDERR: "1",
    },
  });
};

const PYINFRA: Tool = { commands: ["pyinfra"], install: "pip install pyinfra" };
const ANSIBLE: Tool = { commands: ["ansible-playbook"], install: "apt-get install ansible" };

function contenders(fleet: Fleet, server: Product): Contender[] {
  const peer = (use: Peer, count: number) => () => measurePeer(fleet, use, count);
  return [
    { name: "ours, one host", measure: () => measureOurs(fleet, server, 1) },
    { name: "ssh by hand, one host", rounds: 2, measure: peer(sshLoop, 1) },
    { name: "ours", measure: () => measureOurs(fleet, server, HOSTS) },
    { name: "pyinfra", needs: PYINFRA, measure: peer(pyinfra, HOSTS) },
    { name: "ssh by hand", rounds: 1, measure: peer(sshLoop, HOSTS) },
    { name: "ansible", needs: ANSIBLE, rounds: 1, measure: peer(ansible, HOSTS) },
  ];
}

/** Row 9. */
export const rows: readonly Row[] = [{
  number: 9,
  name: "deploy",
  limit:
    "processors of the hosts, all on this machine: unpacking, checksums and what sshd decrypts",
  targets: [
    { title: "5 MB to one host, first", unit: "s", figure: "ours, one host.first_s", atMost: 0.7 },
    { title: "… again", unit: "s", figure: "ours, one host.again_s", atMost: 0.7 },
    {
      title: "… beside ssh by hand",
      unit: "s",
      figure: "ours, one host.again_s",
      peer: "ssh by hand, one host.again_s",
    },
    ...(["first", "again"] as const).flatMap((what) => {
      const beside = (title: string, peer: string, atMost?: number): Target => ({
        title,
        unit: "s",
        figure: `ours.${what}_s`,
        peer: `${peer}.${what}_s`,
        ...(atMost === undefined ? {} : { atMost }),
      });
      return [
        beside(`5 MB to ${HOSTS} hosts, ${what}`, "pyinfra", 1.3),
        ...(what === "first" ? [beside("… beside ansible", "ansible", 0.2)] : []),
        beside("… beside ssh by hand", "ssh by hand"),
      ];
    }),
  ],
  async setUp(scope, stack) {
    const fleet = stack.use(await Fleet.open(scope));
    const server = stack.use(
      await startProduct(scope, {
        flags: [`--known-hosts=${fleet.sshd.knownHostsFile}`, "--allow-unauthenticated"],
      }),
    );
    return contenders(fleet, server);
  },
}];
