/**
 * Finds hosts that are reached over SSH, and this machine.
 *
 * @module
 */
import { userInfo } from "node:os";
import type { SshOptions } from "../../executor/ssh/types.ts";
import { parseTarget, type Target, targetLabel, type TargetSpec } from "../../model/target.ts";
import { DEFAULT_INSTALL_ROOT, type Host, type HostDirectory } from "./host_directory.ts";

/** Options for {@linkcode sshHostDirectory}; a target that names its own user, key or root overrides them. */
export interface SshHostDirectoryOptions {
  /** How to connect. @default {as in ssh_config, known hosts only} */
  ssh?: Omit<SshOptions, "signal"> | undefined;
  /** Absolute directory on a host below which releases go. @default {"/opt"} */
  installRoot?: string | undefined;
  /** Become root with `sudo -n` on the hosts; `null` stays the login user. @default {null} */
  become?: "sudo" | null | undefined;
}

/** Address of this machine for services that run on it. */
const LOCAL_ADDRESS = "127.0.0.1";

/** Resolves targets to hosts reached over SSH, and `local` to this machine. Makes no connection. */
export function sshHostDirectory(options: SshHostDirectoryOptions = {}): HostDirectory {
  return {
    resolve(target: Target, { become = options.become ?? null } = {}): Host {
      const spec = parseTarget(target);
      const { ssh = {}, installRoot = DEFAULT_INSTALL_ROOT } = options;
      return spec === "local"
        ? localHost(installRoot, become)
        : remoteHost(spec, { ssh, installRoot, become });
    },
  };
}

function localHost(installRoot: string, become: "sudo" | null): Host {
  return {
    label: "local",
    key: ["local", ...become === null ? [] : [become]].join(" "),
    target: "local",
    connect: async () => (await import("../../executor/local.ts")).localExecutor(),
    installRoot,
    become,
    address: LOCAL_ADDRESS,
    location: { type: "local" },
    locate: () => Promise.resolve({ type: "local" }),
  };
}

function remoteHost(
  spec: TargetSpec,
  defaults: { ssh: SshOptions; installRoot: string; become: "sudo" | null },
): Host {
  const { host, user, port, identity_file } = spec;
  const target = {
    host,
    ...(user === undefined ? {} : { user }),
    ...(port === undefined ? {} : { port }),
    ...(identity_file === undefined ? {} : { identityFile: identity_file }),
  };
  const location = {
    type: "remote" as const,
    host,
    ssh_user: user ?? userInfo().username,
    ssh_port: port ?? null,
  };
  const become = spec.become ?? defaults.become;
  return {
    label: targetLabel(spec),
    // Also read by people. Only the last word can contain a space.
    key: [
      targetLabel(spec),
      ...become === null ? [] : [become],
      ...identity_file === undefined ? [] : ["with", identity_file],
    ].join(" "),
    target: spec,
    connect: async (signal) => {
      const { connectSsh } = await import("../../executor/ssh/connect.ts");
      return await connectSsh(target, { ...defaults.ssh, signal });
    },
    installRoot: spec.install_root ?? defaults.installRoot,
    become,
    address: host,
    location,
    // ssh_config may name another user. Best effort: the login name is only shown.
    locate: async () => {
      const { loginUser } = await import("../../executor/ssh/route.ts");
      const ssh_user = await loginUser(target, defaults.ssh).catch(() => location.ssh_user);
      return { ...location, ssh_user };
    },
  };
}
