/**
 * The images of the test hosts, made from Debian's packages alone: no container registry is needed.
 *
 * `systemd`: a minimal Debian with a real systemd as PID 1, a real sshd, sudo, and a user `deploy`
 * who may use it. `busybox`: nothing but BusyBox and dropbear.
 */
import { tmpdir } from "node:os";
import { run, runOrThrow } from "./docker.ts";

/** Which kind of host. */
export type HostKind = "systemd" | "busybox";

/** Raise it when a recipe changes: old images are then made anew. */
const RECIPE = 4;

/** Image reference of a kind. */
export function imageOf(kind: HostKind): string {
  return `harness-test-host-${kind}:${RECIPE}`;
}

/** Makes the image of a kind unless it is there (about 40 s for `systemd`). */
export async function ensureImage(kind: HostKind): Promise<string> {
  const image = imageOf(kind);
  // Test files run in parallel: only one of them makes an image.
  using lock = await Deno.open(`${tmpdir()}/${image.replace(":", "-")}.lock`, {
    create: true,
    write: true,
  });
  await lock.lock(true);
  if ((await run("docker", ["image", "inspect", image])).code === 0) return image;
  const rootfs = await Deno.makeTempDir({ prefix: "harness-host-image-" });
  try {
    await Deno.chmod(rootfs, 0o755);
    await (kind === "systemd" ? systemdRoot(rootfs) : busyboxRoot(rootfs));
    await runOrThrow("sh", ["-c", 'tar -C "$1" -c . | docker import - "$2"', "sh", rootfs, image]);
  } finally {
    await runOrThrow("rm", ["-rf", rootfs]);
  }
  return image;
}

async function systemdRoot(rootfs: string): Promise<void> {
  const include = "systemd,systemd-sysv,systemd-container,openssh-server,dbus,sudo";
  await runOrThrow("debootstrap", [
    "--variant=minbase",
    `--include=${include}`,
    "bookworm",
    rootfs,
  ]);
  await runOrThrow("chroot", [rootfs, "useradd", "-m", "-s", "/bin/bash", "deploy"]);
  await Deno.writeTextFile(`${rootfs}/etc/sudoers.d/deploy`, "deploy ALL=(ALL) NOPASSWD: ALL\n", {
    mode: 0o440,
  });
  // Many deployments at once come from one address: the default of 10 unauthenticated connections is for the internet.
  await Deno.writeTextFile(
    `${rootfs}/etc/ssh/sshd_config.d/test.conf`,
    "MaxStartups 100\nPasswordAuthentication no\n",
  );
  await runOrThrow("sh", [
    "-c",
    'rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/*',
    "sh",
    rootfs,
  ]);
}

async function busyboxRoot(rootfs: string): Promise<void> {
  const script = `set -eu
root=$1
for dir in bin sbin dev proc sys tmp run etc/dropbear root/.ssh usr/bin usr/sbin opt var/log; do mkdir -p "$root/$dir"; done
chmod 1777 "$root/tmp"
chmod 700 "$root/root" "$root/root/.ssh"
cp "$(command -v busybox)" "$root/bin/busybox"
for applet in $("$root/bin/busybox" --list); do
  [ "$applet" = busybox ] || ln -sf busybox "$root/bin/$applet"
done
for program in dropbear dropbearkey; do
  path=$(command -v "$program" || echo "/usr/sbin/$program")
  cp "$path" "$root/usr/bin/$program"
  ldd "$path" | sed -n 's/.*=> \\(\\/[^ ]*\\).*/\\1/p; s/^[[:space:]]*\\(\\/lib[^ ]*\\).*/\\1/p' | while read -r lib; do
    mkdir -p "$root$(dirname "$lib")"
    cp -L "$lib" "$root$lib"
  done
done
for lib in /lib/*/libnss_files.so.2; do mkdir -p "$root$(dirname "$lib")"; cp -L "$lib" "$root$lib"; done
echo 'root:x:0:0:root:/root:/bin/sh' > "$root/etc/passwd"
echo 'root:x:0:' > "$root/etc/group"
echo '/bin/sh' > "$root/etc/shells"
cat > "$root/sbin/init" <<'INIT'
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec dropbear -F -E -R -p 22
INIT
chmod 755 "$root/sbin/init"`;
  await runOrThrow("sh", ["-c", script, "sh", rootfs]);
}
