/**
 * Real hosts for the tests: containers with their own init and their own sshd, reached only through a
 * port published on 127.0.0.1.
 */
import { connectSsh } from "../../src/executor/ssh/connect.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { run, runOrThrow } from "./docker.ts";
import { ensureImage, type HostKind } from "./image.ts";

/** Label on every container made here. */
const LABEL = "harness-test-host";

/** Options for {@linkcode startHost}. */
export interface StartHostOptions {
  /** Which kind. @default {"systemd"} */
  kind?: HostKind;
  /** Size of a tmpfs at /opt in MiB, to test a full disk. */
  optSizeMiB?: number;
  /** Leave the container running when disposed of (for `deno task hosts:up`). */
  keep?: boolean;
}

/** A running host. */
export interface TestHost extends AsyncDisposable {
  /** Container name. */
  readonly name: string;
  /** Always `127.0.0.1`. */
  readonly host: string;
  /** The published port of its sshd: docker may give another one at a reboot. */
  readonly port: number;
  /** Users that the key lets in: `root`, and on systemd hosts `deploy`, who may use sudo. */
  readonly users: readonly string[];
  /** Private key that is let in. */
  readonly identityFile: string;
  /** A known_hosts file with this host's keys. */
  readonly knownHostsFile: string;
  /** Runs sh text inside, as root, without SSH: how a test looks at what really happened. */
  sh(script: string): Promise<{ code: number; stdout: string; stderr: string }>;
  /** Connects by SSH. */
  connect(user?: string): Promise<Executor>;
  /** Restarts the whole machine, also one whose power was cut. */
  reboot(): Promise<void>;
  /** Cuts its power: it ends as it is, and nothing answers until it is rebooted. */
  cutPower(): Promise<void>;
}

/** Starts a host and waits until its sshd answers. */
export async function startHost(options: StartHostOptions = {}): Promise<TestHost> {
  const kind = options.kind ?? "systemd";
  const image = await ensureImage(kind);
  const dir = await Deno.makeTempDir({ prefix: "harness-host-" });
  const name = `harness-test-${crypto.randomUUID().slice(0, 8)}`;
  await runOrThrow("docker", [
    ...["run", "--detach", "--name", name, "--hostname", name, "--label", LABEL],
    ...(kind === "systemd" ? SYSTEMD_FLAGS : []),
    ...(options.optSizeMiB === undefined
      ? []
      : ["--tmpfs", `/opt:exec,size=${options.optSizeMiB}m`]),
    ...["--publish", "127.0.0.1::22", image, "/sbin/init"],
  ]);
  try {
    return await reach(kind, name, dir, options.keep ?? false);
  } catch (error) {
    await run("docker", ["rm", "--force", name]);
    await Deno.remove(dir, { recursive: true });
    throw error;
  }
}

/** What systemd needs in a container that is not privileged. */
const SYSTEMD_FLAGS = [
  ...["--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined"],
  ...["--tmpfs", "/run", "--tmpfs", "/tmp:exec", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:ro"],
];

async function reach(
  kind: HostKind,
  name: string,
  dir: string,
  keep: boolean,
): Promise<TestHost> {
  const identityFile = `${dir}/id`;
  await runOrThrow("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", identityFile]);
  const publicKey = await Deno.readTextFile(`${identityFile}.pub`);
  const users = kind === "systemd" ? ["root", "deploy"] : ["root"];
  const sh = (script: string) => run("docker", ["exec", "-i", name, "sh", "-c", script]);
  for (const user of users) {
    const home = user === "root" ? "/root" : `/home/${user}`;
    await runOrThrow("docker", [
      ...["exec", "-i", name, "sh", "-c"],
      `umask 077; mkdir -p ${home}/.ssh; cat >> ${home}/.ssh/authorized_keys; chown -R ${user}: ${home}/.ssh`,
    ], publicKey);
  }
  const knownHostsFile = `${dir}/known_hosts`;
  let port = await publishedPort(name);
  const host: TestHost = {
    name,
    host: "127.0.0.1",
    get port() {
      return port;
    },
    users,
    identityFile,
    knownHostsFile,
    sh,
    connect: (user = "root") =>
      connectSsh({ host: "127.0.0.1", port, user, identityFile }, {
        knownHostsFiles: [knownHostsFile],
        hostKeyPolicy: "strict",
        sshConfigFile: null,
      }),
    reboot: async () => {
      await runOrThrow("docker", ["restart", "--time", "5", name]);
      port = await publishedPort(name);
      await waitForSshd({ kind, name, port, knownHostsFile });
    },
    cutPower: async () => void await runOrThrow("docker", ["kill", name]),
    async [Symbol.asyncDispose]() {
      if (keep) return;
      await run("docker", ["rm", "--force", "--volumes", name]);
      await Deno.remove(dir, { recursive: true });
    },
  };
  await waitForSshd({ kind, name, port, knownHostsFile });
  return host;
}

async function publishedPort(name: string): Promise<number> {
  const line = (await runOrThrow("docker", ["port", name, "22"])).split("\n")[0] ?? "";
  return Number(line.slice(line.lastIndexOf(":") + 1));
}

/**
 * Waits until sshd answers and lets everybody in, and notes its keys: what `ssh-keyscan` sees is what the container
 * has. While a machine boots, sshd may answer already and let in nobody but root.
 */
async function waitForSshd(
  { kind, name, port, knownHostsFile }: {
    kind: HostKind;
    name: string;
    port: number;
    knownHostsFile: string;
  },
): Promise<void> {
  const open = ["exec", name, "systemctl", "is-active", "--quiet", "systemd-user-sessions"];
  for (let attempt = 0; attempt < 240; attempt++) {
    const scan = await run("ssh-keyscan", ["-T", "5", "-p", String(port), "127.0.0.1"]);
    if (
      scan.stdout.includes("ssh-ed25519") &&
      (kind === "busybox" || (await run("docker", open)).code === 0)
    ) {
      await Deno.writeTextFile(knownHostsFile, scan.stdout);
      return;
    }
    // Each look is two processes.
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  const logs = await run("docker", ["logs", "--tail", "20", name]);
  throw new Error(`The sshd of ${name} does not answer:\n${logs.stdout}${logs.stderr}`);
}

/** Removes every container made here, also those of runs that were cut off. */
export async function removeAllHosts(): Promise<number> {
  const ids = (await runOrThrow("docker", ["ps", "-aq", "--filter", `label=${LABEL}`]))
    .split("\n").filter((id) => id !== "");
  if (ids.length > 0) await runOrThrow("docker", ["rm", "--force", "--volumes", ...ids]);
  return ids.length;
}
