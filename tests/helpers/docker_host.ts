/** A machine with systemd as PID 1 and a docker of its own: a container with this machine's docker put into it. */
import type { Executor } from "../../src/executor/executor.ts";
import { localExecutor } from "../../src/executor/local.ts";
import { run, runOrThrow } from "../hosts/docker.ts";
import { ensureImage } from "../hosts/image.ts";
import assert from "node:assert/strict";
import { untilPasses } from "./raw_client.ts";

const UNIT = `[Unit]
Description=docker
[Service]
Type=notify
ExecStart=/usr/sbin/dockerd --bridge none --iptables=false --storage-driver vfs
[Install]
WantedBy=multi-user.target
`;

const INSTALL = `set -e
files=$(for name in docker dockerd containerd containerd-shim-runc-v2 runc docker-init; do command -v "$name"; done)
libraries=$(for file in $files; do ldd "$file" 2>/dev/null | sed -n 's/.*=> \\(\\/[^ ]*\\).*/\\1/p'; done | sort -u)
tar -ch $files $libraries 2>/dev/null | docker exec -i "$1" tar -C / -x --skip-old-files
docker exec -i "$1" sh -c 'cat > /etc/systemd/system/docker.service && systemctl daemon-reload && systemctl -q enable --now docker'
`;

/** A running machine; disposing of it removes it with its containers. */
export class DockerHost implements AsyncDisposable {
  readonly name = `harness-docker-host-${crypto.randomUUID().slice(0, 8)}`;

  /** Starts a machine. */
  static async start(): Promise<DockerHost> {
    const host = new DockerHost();
    try {
      const image = await ensureImage("systemd");
      await runOrThrow("docker", [
        ...["run", "--detach", "--name", host.name, "--hostname", host.name, "--network", "none"],
        ...["SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "MKNOD"].flatMap((cap) => ["--cap-add", cap]),
        ...["seccomp", "apparmor", "systempaths"].flatMap((name) => [
          "--security-opt",
          `${name}=unconfined`,
        ]),
        ...["--tmpfs", "/run", "--tmpfs", "/tmp:exec", "--volume", "/var/lib/docker"],
        ...["--volume", "/sys/fs/cgroup:/sys/fs/cgroup", image, "/sbin/init"],
      ]);
      await host.booted();
      await runOrThrow("sh", ["-c", INSTALL, "sh", host.name], UNIT);
      return host;
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs sh text there, as root; answers what it printed. */
  async sh(script: string, stdin?: string): Promise<string> {
    return (await runOrThrow("docker", ["exec", "-i", this.name, "sh", "-c", script], stdin))
      .trim();
  }

  /** Runs commands there, as root. */
  executor(): Executor {
    const local = localExecutor();
    return {
      host: this.name,
      run: (command, { env = {}, ...options } = {}) =>
        local.run({
          argv: [
            ...["docker", "exec", "-i"],
            ...Object.entries(env).flatMap(([name, value]) => ["-e", `${name}=${value}`]),
            this.name,
            ...("argv" in command
              ? command.argv
              : ["sh", "-c", command.script, "sh", ...command.args ?? []]),
          ] as [string, ...string[]],
        }, options),
      [Symbol.asyncDispose]: () => local[Symbol.asyncDispose](),
    };
  }

  /** Waits until it has booted. */
  async booted(): Promise<void> {
    await untilPasses(async () => {
      const script = "systemctl is-system-running --wait";
      const { stdout } = await run("docker", ["exec", this.name, "sh", "-c", script]);
      assert.match(stdout, /running|degraded/);
    });
  }

  /** Shuts it down and starts it again. */
  async reboot(): Promise<void> {
    // What systemd takes for a request to halt.
    await runOrThrow("docker", ["kill", "--signal", "RTMIN+3", this.name]);
    await runOrThrow("docker", ["wait", this.name]);
    await runOrThrow("docker", ["start", this.name]);
    await this.booted();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const script = 'ids=$(docker ps -aq) && [ -z "$ids" ] || docker rm -f $ids';
    await run("docker", ["exec", this.name, "sh", "-c", script]);
    await run("docker", ["rm", "--force", "--volumes", this.name]);
  }
}
