/**
 * Which outside components a test needs, and what happens when one is missing.
 *
 * A missing component skips the test and says what to install; named in `HARNESS_TEST_REQUIRE`
 * (`sshd,docker,…`, or `all`) it fails instead, so that CI cannot be green by skipping.
 */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** A component outside this repository. */
export type Component =
  | "sshd"
  | "docker"
  | "systemd"
  | "minisign"
  | "chromium"
  | "bun"
  | "node"
  | "node22"
  | "node24"
  | "python3"
  | "zsh"
  | "venv"
  | "java"
  | "maven"
  | "go"
  | "cargo"
  | "curl"
  | "busybox"
  | "dropbear"
  | "tmpfs"
  | "strace"
  | "cc"
  | "nginx"
  | "haproxy"
  | "caddy"
  | "openssl"
  | "bash-completion"
  | "fish"
  | "root";

const HINTS: Record<Component, string> = {
  sshd: "apt-get install openssh-server",
  docker: "apt-get install docker.io, and start dockerd",
  systemd: "run where systemd is PID 1, or start the hosts with `deno task hosts:up`",
  minisign: "apt-get install minisign",
  chromium: "apt-get install chromium",
  bun: "npm install --global bun@1.4.5",
  node: "install Node.js 20 or newer",
  node22: "install npm, and run `npx -y node@22 --version` once",
  node24: "install npm, and run `npx -y node@24 --version` once",
  python3: "apt-get install python3",
  zsh: "apt-get install zsh",
  venv: "apt-get install python3-venv",
  java: "apt-get install default-jdk-headless",
  maven: "apt-get install maven",
  go: "apt-get install golang-go, 1.19 or newer",
  cargo: "apt-get install cargo, or https://rustup.rs: Rust 1.71 or newer",
  curl: "apt-get install curl",
  busybox: "apt-get install busybox-static",
  dropbear: "apt-get install dropbear-bin",
  tmpfs: "run as root where mount is allowed",
  strace: "apt-get install strace",
  cc: "apt-get install gcc libc6-dev",
  nginx: "apt-get install nginx",
  haproxy: "apt-get install haproxy",
  caddy: "apt-get install caddy",
  openssl: "apt-get install openssl",
  "bash-completion": "apt-get install bash bash-completion",
  fish: "apt-get install fish",
  root: "run as root",
};

function onPath(name: string): boolean {
  const path = `${Deno.env.get("PATH") ?? ""}${delimiter}/usr/sbin${delimiter}/sbin`;
  return path.split(delimiter).some((dir) => dir !== "" && existsSync(join(dir, name)));
}

function works(command: string, args: string[]): boolean {
  try {
    const io = { stdin: "null", stdout: "null", stderr: "null" } as const;
    return new Deno.Command(command, { args, ...io }).outputSync().success;
  } catch {
    return false;
  }
}

function mountWorks(): boolean {
  if (Deno.uid() !== 0) return false;
  const dir = Deno.makeTempDirSync({ prefix: "harness-mount-" });
  try {
    if (!works("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", dir])) return false;
    return works("umount", ["-l", dir]);
  } finally {
    Deno.removeSync(dir);
  }
}

/** Rust 1.71 or newer: Debian 12 has an older one. */
function cargoIsNew(): boolean {
  try {
    const { stdout } = new Deno.Command("cargo", { args: ["--version"] }).outputSync();
    const [major = 0, minor = 0] = new TextDecoder().decode(stdout).split(/[ .]/).slice(1).map(
      Number,
    );
    return major > 1 || (major === 1 && minor >= 71);
  } catch {
    return false;
  }
}

const PROBES: Record<Component, () => boolean> = {
  sshd: () => onPath("sshd") && onPath("ssh-keygen"),
  docker: () => works("docker", ["info"]),
  systemd: () => existsSync("/run/systemd/system"),
  minisign: () => onPath("minisign"),
  chromium: () => onPath("chromium"),
  bun: () => works("bun", ["--version"]),
  node: () => works("node", ["--version"]),
  node22: () => works("npx", ["-y", "node@22", "--version"]),
  node24: () => works("npx", ["-y", "node@24", "--version"]),
  python3: () => works("python3", ["--version"]),
  zsh: () => onPath("zsh"),
  venv: () =>
    works("python3", ["-m", "venv", "--help"]) &&
    works("python3", ["-m", "ensurepip", "--version"]),
  java: () => works("javac", ["--version"]),
  maven: () => works("mvn", ["--version"]),
  go: () => works("go", ["version"]),
  cargo: cargoIsNew,
  curl: () => works("curl", ["--version"]),
  busybox: () => onPath("busybox"),
  dropbear: () => onPath("dropbear"),
  tmpfs: mountWorks,
  strace: () => works("strace", ["-f", "true"]),
  cc: () => works("cc", ["--version"]),
  nginx: () => onPath("nginx"),
  haproxy: () => onPath("haproxy"),
  caddy: () => onPath("caddy"),
  openssl: () => works("openssl", ["version"]),
  "bash-completion": () => existsSync("/usr/share/bash-completion/bash_completion"),
  fish: () => onPath("fish"),
  root: () => Deno.uid() === 0,
};

const found = new Map<Component, boolean>();

/** Whether a component is there. */
export function has(component: Component): boolean {
  let there = found.get(component);
  if (there === undefined) {
    there = PROBES[component]();
    found.set(component, there);
  }
  return there;
}

/**
 * The value for a test's `ignore`: false when all components are there.
 *
 * @throws {Error} when one is missing that `HARNESS_TEST_REQUIRE` names: the test module fails.
 */
export function needs(...components: Component[]): boolean {
  const required = (Deno.env.get("HARNESS_TEST_REQUIRE") ?? "").split(",").map((s) => s.trim());
  const missing = components.filter((component) => !has(component));
  for (const component of missing) {
    const hint = `${component} is missing: ${HINTS[component]}`;
    if (required.includes(component) || required.includes("all")) {
      throw new Error(`Cannot run a required test: ${hint}`);
    }
    Deno.stderr.writeSync(new TextEncoder().encode(`skipped: ${hint}\n`));
  }
  return missing.length > 0;
}
