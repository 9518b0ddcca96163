/** Containers for tests: images made from BusyBox alone, nothing is ever pulled. */
import assert from "node:assert/strict";
import { run } from "../hosts/docker.ts";

/** Runs docker, which must work; answers what it printed. `DOCKER_HOST` and the like by `env`. */
export async function docker(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run("docker", args);
  assert.equal(code, 0, `docker ${args.join(" ")}: ${stderr}`);
  return stdout.trim();
}

/** Makes an image whose main process runs `script` in BusyBox' shell. */
export async function makeImage(tag: string, script: string, host: string[] = []): Promise<void> {
  const build =
    `root=$(mktemp -d) && mkdir "$root/bin" "$root/tmp" && cp "$(command -v busybox)" "$root/bin/busybox" &&
    for a in sh sleep echo cat kill tr; do ln -s busybox "$root/bin/$a"; done && printf '%s\\n' "$2" > "$root/main.sh" &&
    tag=$1 && shift 2 && tar -C "$root" -c . | docker "$@" import -c 'CMD ["/bin/sh", "/main.sh"]' - "$tag" && rm -rf "$root"`;
  const { code, stderr } = await run("sh", ["-c", build, "sh", tag, script, ...host]);
  assert.equal(code, 0, stderr);
}

/** Removes containers and images; fine when they are not there. */
export async function removeAll(containers: string[], images: string[]): Promise<void> {
  if (containers.length > 0) await run("docker", ["rm", "-f", ...containers]);
  if (images.length > 0) await run("docker", ["rmi", "-f", ...images]);
}

/** One field of a container, or `null` where there is none. */
export async function inspect(container: string, format: string): Promise<string | null> {
  const { code, stdout } = await run("docker", [
    "inspect",
    "--type",
    "container",
    "-f",
    format,
    container,
  ]);
  return code === 0 ? stdout.trim() : null;
}
