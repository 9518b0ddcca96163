/**
 * A host with nothing on it but BusyBox and dropbear: what a small appliance or an Alpine container is.
 *
 * A chroot in a mount and a process namespace of its own, so it needs root. Everything that runs on it
 * ends with it. Its files can be looked at from outside below {@linkcode BusyBoxHost.root}.
 */
import * as fs from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "./free_port.ts";
import { eventually } from "./raw_client.ts";
import { removeTree } from "./remove_tree.ts";
import { makeKey, runProgram } from "./sshd.ts";

/** Options for {@linkcode startBusyBoxHost}. */
export interface BusyBoxHostOptions {
  /** Applets to leave out, as on a host where somebody was stingy. */
  without?: readonly string[];
}

/** A running BusyBox host. */
export interface BusyBoxHost extends AsyncDisposable {
  /** Always `127.0.0.1`. */
  readonly host: string;
  /** The port dropbear listens on. */
  readonly port: number;
  /** Always `root`: the root of its own small world. */
  readonly user: string;
  /** Private key that is let in. */
  readonly identityFile: string;
  /** A known_hosts file with its host key. */
  readonly knownHostsFile: string;
  /** Its root directory as seen from outside. */
  readonly root: string;
  /** Ends it with all that runs on it, and removes its files. */
  stop(): Promise<void>;
}

const LIBRARIES = /(?:=> |^\s*)(\/\S+)/gm;

async function fill(root: string, options: BusyBoxHostOptions): Promise<void> {
  for (const dir of ["bin", "sbin", "etc", "root/.ssh", "dev", "proc", "tmp", "var/run", "opt"]) {
    await fs.mkdir(join(root, dir), { recursive: true });
  }
  await fs.chmod(join(root, "root"), 0o700);
  await fs.chmod(join(root, "tmp"), 0o1777);
  const which = async (name: string): Promise<string> =>
    (await runProgram("sh", ["-c", `PATH=$PATH:/usr/sbin:/sbin command -v ${name}`])).trim();
  const busybox = await which("busybox");
  await fs.copyFile(busybox, join(root, "bin/busybox"));
  for (const applet of (await runProgram(busybox, ["--list"])).split("\n")) {
    if (applet === "" || applet === "busybox" || options.without?.includes(applet)) continue;
    await fs.symlink("/bin/busybox", join(root, "bin", applet));
  }
  const dropbear = await which("dropbear");
  await fs.copyFile(dropbear, join(root, "sbin/dropbear"));
  for (const [, library = ""] of (await runProgram("ldd", [dropbear])).matchAll(LIBRARIES)) {
    await fs.mkdir(join(root, library, ".."), { recursive: true });
    await fs.copyFile(library, join(root, library));
  }
  await fs.writeFile(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  await fs.writeFile(join(root, "etc/group"), "root:x:0:\n");
  await fs.writeFile(join(root, "etc/shells"), "/bin/sh\n");
}

const INIT = `
mount --bind /dev "$1/dev" && mount -t proc proc "$1/proc" &&
exec chroot "$1" /sbin/dropbear -F -E -m -s -p "127.0.0.1:$2" -r /etc/host_key -P /var/run/dropbear.pid
`;

/** Starts dropbear and answers once it listens, or `null` when the port was taken meanwhile. */
async function launch(root: string, port: number): Promise<Deno.ChildProcess | null> {
  const child = new Deno.Command("unshare", {
    args: ["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", INIT, "init", root, `${port}`],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  let ended = false;
  const end = child.status.then(() => {
    ended = true;
  });
  let isOpen = false;
  const look = async () => {
    isOpen = await Deno.connect({ hostname: "127.0.0.1", port }).then((conn) => {
      conn.close();
      return true;
    }, () => false);
    return isOpen || ended;
  };
  await eventually(look, "its sshd answers").catch(() => {});
  if (isOpen) return child;
  if (!ended) child.kill("SIGKILL");
  await end;
  return null;
}

/**
 * Starts a BusyBox host.
 *
 * @throws {Error} when it cannot be started: it needs root, unshare, busybox and dropbear.
 */
export async function startBusyBoxHost(options: BusyBoxHostOptions = {}): Promise<BusyBoxHost> {
  const dir = await fs.mkdtemp(join(Deno.env.get("TMPDIR") ?? "/tmp", "harness-busybox-"));
  const root = join(dir, "root");
  const identityFile = join(dir, "id_user");
  const knownHostsFile = join(dir, "known_hosts");
  try {
    await fill(root, options);
    const publicKey = await makeKey(identityFile);
    await fs.writeFile(join(root, "root/.ssh/authorized_keys"), `${publicKey}\n`, { mode: 0o600 });
    const hostKey = join(root, "etc/host_key");
    const printed = await runProgram("dropbearkey", ["-t", "ed25519", "-f", hostKey]);
    const hostPublicKey = /^(ssh-ed25519 \S+)/m.exec(printed)?.[1] ?? "";
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const port = freePort();
      const child = await launch(root, port);
      if (child === null) continue;
      await fs.writeFile(knownHostsFile, `[127.0.0.1]:${port} ${hostPublicKey}\n`);
      let stopped: Promise<void> | undefined;
      const stop = (): Promise<void> =>
        stopped ??= (async () => {
          // The first process of a process namespace takes all others with it.
          child.kill("SIGKILL");
          await child.status;
          await removeTree(dir);
        })();
      const facts = { host: "127.0.0.1", port, user: "root", identityFile, knownHostsFile, root };
      return { ...facts, stop, [Symbol.asyncDispose]: stop };
    }
    throw new Error("Cannot start a BusyBox host: dropbear does not listen");
  } catch (error) {
    await removeTree(dir);
    throw error;
  }
}
