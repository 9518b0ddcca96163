/** What the figures were measured on. */
import os from "node:os";

/** The machine in words and apart. */
export interface Machine {
  readonly text: string;
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly deno: string;
  readonly disk: string;
  /** Mean of the last minute before the run: above a few tenths others were at work. */
  readonly load: number;
  readonly commit: string;
  /** Versions of the peers that are there. */
  readonly peers: Readonly<Record<string, string>>;
}

/** What says the version of each peer. */
const VERSIONS: Readonly<Record<string, readonly [string, ...string[]]>> = {
  Node: ["node", "--version"],
  Bun: ["bun", "--version"],
  etcd: ["etcd", "--version"],
  ansible: ["ansible", "--version"],
  pyinfra: ["pyinfra", "--version"],
  OpenSSH: ["ssh", "-V"],
  rsync: ["rsync", "--version"],
  pigz: ["pigz", "--version"],
  tar: ["tar", "--version"],
};

async function output(command: string, ...args: string[]): Promise<string> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
    return success ? text(stdout) || text(stderr) : "";
  } catch {
    return "";
  }
}

async function peerVersions(): Promise<Record<string, string>> {
  const found = await Promise.all(
    Object.entries(VERSIONS).map(async ([name, [command, ...args]]) => {
      const version = (await output(command, ...args)).match(/\d+(?:\.\w+)+/)?.[0];
      return version === undefined ? [] : [[name, version]];
    }),
  );
  return Object.fromEntries(found.flat());
}

/** Describes this machine, and the file system of a directory. */
export async function machine(dir?: string): Promise<Machine> {
  const cpu = os.cpus()[0]?.model.trim() ?? "unknown processor";
  const cores = os.availableParallelism();
  const kernel = `${os.type()} ${os.release()}`;
  const deno = Deno.version.deno;
  const at = dir ?? Deno.env.get("TMPDIR") ?? "/tmp";
  const disk = await output("stat", "-f", "-c", "%T", at) || "unknown";
  const commit = await output("git", "rev-parse", "--short", "HEAD") || "unknown";
  const peers = await peerVersions();
  const load = os.loadavg()[0] ?? 0;
  const memory = Math.round(os.totalmem() / 2 ** 30);
  const date = new Date().toISOString().slice(0, 10);
  const text = `${date}, commit ${commit}, ${cpu}, ${cores} cores, ${memory} GiB, ${kernel}, ` +
    `${disk} file system, load ${load.toFixed(1)} before, Deno ${deno}; ${
      Object.entries(peers).map((pair) => pair.join(" ")).join(", ")
    }.`;
  return { text, cpu, cores, kernel, deno, disk, load, commit, peers };
}
